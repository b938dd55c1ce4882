// Trace requests for property tests: mostly what applications send, biased to what a policy names,
// with the legal oddities of the wire format and, here and there, one fault of each class of
// malformed.md. One seed makes one request; fast-check shrinks it by taking pieces out.
import fc from 'fast-check'
import type { PolicyFile } from './oracle-policy.ts'
import {
  type Bytes,
  fixed32,
  fixed64,
  integer,
  len,
  type Piece,
  short,
  smaller,
  sound,
  type Tree,
  utf8,
  varint,
} from './otlp-pieces.ts'
import { resource } from './otlp-resource.ts'
import { attribute, NOT_UTF8, oddKey } from './otlp-values.ts'
import { type Vocabularies, type Vocabulary, vocabularies } from './otlp-vocabulary.ts'
import { Rng } from './rng.ts'

type Part = Piece | Tree
type Level = 'request' | 'resource' | 'scope' | 'span'

class RequestArbitrary extends fc.Arbitrary<Tree> {
  readonly #make: (rng: Rng) => Tree
  constructor(policy: PolicyFile, nowMs: number) {
    super()
    const words = vocabularies(policy)
    this.#make = (rng) => request(rng, words, nowMs)
  }
  generate(random: fc.Random): fc.Value<Tree> {
    return new fc.Value(this.#make(new Rng(random.nextInt())), undefined)
  }
  canShrinkWithoutContext(_value: unknown): _value is Tree {
    return true
  }
  shrink(tree: Tree): fc.Stream<fc.Value<Tree>> {
    return new fc.Stream(smaller(tree)).map((value) => new fc.Value(value, undefined))
  }
}

/** Requests around the moment `nowMs`. */
export const requests = (policy: PolicyFile, nowMs: number): fc.Arbitrary<Tree> =>
  new RequestArbitrary(policy, nowMs)

/** The same without fast-check: the request of a seed. */
export function requestOf(policy: PolicyFile, nowMs: number, seed: number): Tree {
  const words = known.get(policy) ?? vocabularies(policy)
  known.set(policy, words)
  return request(new Rng(seed), words, nowMs)
}
const known = new WeakMap<PolicyFile, Vocabularies>()

const MAX_ATTRIBUTES = 4096
const EMPTY_ATTRIBUTES: Bytes = Array.from({ length: MAX_ATTRIBUTES + 1 }, () => [0x4a, 0]).flat()

function request(rng: Rng, words: Vocabularies, nowMs: number): Tree {
  const containers: [Level, Part[]][] = []
  const group = (level: Level, field: number, make: (parts: Part[]) => void): Tree => {
    const parts: Part[] = []
    containers.push([level, parts])
    make(parts)
    if (rng.chance(6)) insert(rng, parts, harmless(rng, level))
    if (rng.chance(30)) shuffle(rng, parts)
    return {
      kind: level === 'span' ? 'span' : 'group',
      field,
      pad: rng.chance(3) ? rng.below(4) : 0,
      parts,
    }
  }
  const few = (most: number): number => (rng.chance(75) ? 1 : rng.below(most + 1))
  const root = group('request', 0, (resources) => {
    for (let i = few(3); i > 0; i--) {
      resources.push(
        group('resource', 1, (scopes) => {
          const read = words.resource
          if (rng.chance(read === undefined ? 70 : 93))
            scopes.push(read === undefined ? unlistedPlace(rng, 1) : resource(rng, read))
          for (let j = few(3); j > 0; j--) {
            scopes.push(
              group('scope', 2, (spans) => {
                if (rng.chance(60)) spans.push(unlistedPlace(rng, 1))
                for (
                  let k = rng.chance(50) ? 1 : rng.chance(0.3) ? 70 + rng.below(200) : rng.below(5);
                  k > 0;
                  k--
                )
                  spans.push(group('span', 2, (parts) => span(rng, parts, words.spans, nowMs)))
                if (rng.chance(20)) spans.push(unlistedPlace(rng, 3))
              }),
            )
          }
          if (rng.chance(20)) scopes.push(unlistedPlace(rng, 3))
          if (read === undefined && rng.chance(5)) scopes.push(unlistedPlace(rng, 1))
        }),
      )
    }
  })
  if (rng.chance(8)) {
    const [level, parts] = rng.pick(containers)
    const piece = frameFault(rng, level)
    if (piece.last === true) parts.push(piece)
    else insert(rng, parts, piece)
  }
  return root
}

function insert(rng: Rng, parts: Part[], part: Part): void {
  parts.splice(rng.below(parts.length + 1), 0, part)
}

function shuffle(rng: Rng, parts: Part[]): void {
  for (let i = parts.length - 1; i > 0; i--) {
    const j = rng.below(i + 1)
    ;[parts[i], parts[j]] = [parts[j]!, parts[i]!]
  }
}

function span(
  rng: Rng,
  parts: Part[],
  words: ReadonlyMap<string, Vocabulary>,
  nowMs: number,
): void {
  const name = spanName(rng, words)
  const vocabulary = words.get(name.text)
  const traceId = rng.chance(98.5)
    ? len(1, rng.bytes(16))
    : rng.pick([
        [],
        len(1, []),
        len(1, rng.bytes(15)),
        len(1, rng.bytes(17)),
        len(
          1,
          Array.from({ length: 16 }, () => 0),
        ),
      ])
  const spanId = rng.chance(98.5)
    ? len(2, rng.bytes(8))
    : rng.pick([
        [],
        len(2, []),
        len(2, rng.bytes(7)),
        len(2, rng.bytes(16)),
        len(
          2,
          Array.from({ length: 8 }, () => 0),
        ),
      ])
  const times = spanTimes(rng, vocabulary?.durations ?? [1], nowMs)
  const singular: [field: number, piece: Piece][] = [
    [1, sound(traceId)],
    [2, sound(spanId)],
    [4, sound(parentId(rng))],
    [5, name.piece],
    [7, sound(times.start)],
    [8, sound(times.end)],
  ]
  if (rng.chance(70)) singular.push([6, sound(integer(6, rng.below(6), rng.below(2)))])
  if (rng.chance(10))
    singular.push(
      [3, badText(3)],
      [16, sound(fixed32(16))],
      [10, sound(integer(10, 7))],
      [12, sound(integer(12, 8))],
      [14, sound(integer(14, 9))],
    )
  if (rng.chance(65)) singular.push([15, status(rng)])
  if (rng.chance(2)) {
    const [, piece] = rng.pick(singular.filter(([, { wire }]) => wire.length > 0))
    const between = rng.chance(50) ? len(9, []) : []
    piece.wire = [...piece.wire, ...between, ...piece.wire]
    piece.clean = between
    piece.fault = { class: 'repeated-span-field', outcome: 'span' }
  }
  parts.push(...singular.map(([, piece]) => piece))
  const count = attributes(rng, parts, vocabulary)
  if (rng.chance(12)) parts.push(unlistedPlace(rng, 11))
  if (rng.chance(6)) parts.push(unlistedPlace(rng, 13))
  if (rng.chance(1.2)) {
    const more = rng.chance(70) ? MAX_ATTRIBUTES + 1 : MAX_ATTRIBUTES - count
    parts.push(sound(EMPTY_ATTRIBUTES.slice(0, more * 2)))
  }
}

/** How many there are, as KeyValues on the wire. */
function attributes(rng: Rng, parts: Part[], vocabulary: Vocabulary | undefined): number {
  const before = parts.length
  const keys = vocabulary?.keys ?? []
  const unlisted = [
    'user.password',
    'http.url',
    'execution.type.x',
    'execution',
    '',
    'K',
    'usage.batch.id',
  ]
  const otherKey = (): string =>
    keys.length > 0 && rng.chance(60) ? rng.pick(keys).key : rng.pick(unlisted)
  for (const { key, values } of keys) {
    if (rng.chance(22)) continue
    parts.push(attribute(rng, key, values, true, otherKey()))
    if (rng.chance(1.5)) insert(rng, parts, attribute(rng, key, values, true, otherKey()))
  }
  for (let i = rng.below(3); i > 0; i--)
    parts.push(attribute(rng, rng.pick(unlisted), [], false, otherKey()))
  if (rng.chance(4)) parts.push(oddKey(rng))
  return parts.length - before
}

function spanName(
  rng: Rng,
  words: ReadonlyMap<string, Vocabulary>,
): { text: string; piece: Piece } {
  const names = [...words.keys()]
  if (rng.chance(88)) {
    const text = rng.pick(names)
    return { text, piece: sound(len(5, utf8(text), rng.chance(3) ? 2 : 0)) }
  }
  if (rng.chance(30)) return { text: '', piece: badText(5) }
  const text = rng.pick([
    '',
    `${rng.pick(names)} `,
    rng.pick(names).toUpperCase(),
    rng.pick(names).slice(1),
    'GET /users/42',
    'constructor',
    '__proto__',
  ])
  return { text, piece: sound(text === '' && rng.chance(50) ? [] : len(5, utf8(text))) }
}

/** Not UTF-8 where no policy looks; a name like that is simply not a listed one. */
const badText = (field: number): Piece => ({
  wire: len(field, NOT_UTF8[0]!),
  clean: len(field, utf8('?')),
  ignored: 'utf8-unlisted',
})

function parentId(rng: Rng): Bytes {
  const roll = rng.below(1000)
  if (roll < 330) return []
  if (roll < 370) return len(4, [])
  if (roll < 420) return len(4, [0, 0, 0, 0, 0, 0, 0, 0])
  return len(4, rng.bytes(roll < 990 ? 8 : rng.pick([1, 7, 9, 16])))
}

function spanTimes(
  rng: Rng,
  durations: readonly number[],
  nowMs: number,
): { start: Bytes; end: Bytes } {
  const units = [86_400_000_000_000n, 3_600_000_000_000n, 60_000_000_000n]
  const now = BigInt(nowMs) * 1_000_000n
  let start = now - BigInt(rng.below(2 ** 31)) * 1000n
  if (rng.chance(15)) start -= (start % rng.pick(units)) + BigInt(rng.below(3) - 1)
  let end = start + BigInt(rng.pick(durations)) * 1_000_000_000n + BigInt(rng.below(3) - 1)
  if (rng.chance(40)) end = start + BigInt(rng.below(2 ** 31)) * BigInt(1 + rng.below(2000))
  if (rng.chance(3)) end = start - BigInt(rng.below(2 ** 31))
  const extremes = [0n, 1n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n, 86_400_000_000_000n]
  if (rng.chance(8)) start = rng.pick(extremes)
  if (rng.chance(8)) end = rng.pick(extremes)
  const field = (number: number, value: bigint): Bytes =>
    value === 0n && rng.chance(50) ? [] : fixed64(number, BigInt.asUintN(64, value))
  return { start: field(7, start), end: field(8, end) }
}

function status(rng: Rng): Piece {
  const message = rng.chance(30)
    ? len(2, rng.chance(30) ? NOT_UTF8[1]! : utf8('secret message'))
    : []
  const code = rng.chance(10)
    ? []
    : integer(3, rng.chance(12) ? 0 : 1 + rng.below(2), rng.chance(5) ? 1 + rng.below(4) : 0)
  if (rng.chance(90)) {
    const content = rng.chance(20) ? [...code, ...message] : [...message, ...code]
    return message.length === 0
      ? sound(len(15, content))
      : { wire: len(15, content), clean: len(15, code), ignored: 'utf8-unlisted' }
  }
  if (rng.chance(30)) return sound(len(15, integer(3, rng.pick([3, 4, 2n ** 31n - 1n, -1]))))
  const bad: Bytes[] = [
    [0x18],
    [0x18, 0x80],
    [0x1a, 1, 1],
    [0x12, 9, 65],
    [0x10, 1, ...code],
    [...integer(3, 1), ...integer(3, 2)],
    [...code, 0x1d, 1, 0, 0, 0],
    integer(3, 2n ** 32n + 1n),
    integer(3, 1, 5),
    integer(3, 2, 9),
  ]
  return {
    wire: len(15, rng.pick(bad)),
    clean: len(15, []),
    fault: { class: 'status', outcome: 'status' },
  }
}

/**
 * A place that is stepped over by its length: resource, scope, schema URL, events, links. Whatever
 * is in it fits.
 */
function unlistedPlace(rng: Rng, field: number): Piece {
  const attributeOf = (key: string): number[] =>
    len(field === 1 ? 1 : field === 11 ? 3 : 4, [
      ...len(1, utf8(key)),
      ...len(2, len(1, utf8('secret'))),
    ])
  const roll = rng.below(100)
  if (roll < 70) {
    const wire = len(
      field,
      field === 3 ? utf8('https://example.org/schema') : attributeOf('execution.type'),
    )
    return sound(wire)
  }
  if (roll < 85)
    return {
      wire: len(field, rng.pick([[0x0a, 50], [0x07], [0x0b, 0x0b], [0xff, 0xff], [0x09, 1]])),
      clean: [],
      ignored: 'truncation-unlisted',
    }
  return { wire: len(field, NOT_UTF8[1]!), clean: [], ignored: 'utf8-unlisted' }
}

const FIRST_UNKNOWN: Record<Level, number> = { request: 2, resource: 4, scope: 4, span: 17 }

function groups(field: number, levels: number, content: Bytes): number[] {
  const start = short(field * 8 + 3)
  const end = short(field * 8 + 4)
  return [
    ...Array.from({ length: levels }, () => start).flat(),
    ...content,
    ...Array.from({ length: levels }, () => end).flat(),
  ]
}

/** Fields that a newer sender may add: unknown ones of every wire type. */
function harmless(rng: Rng, level: Level): Piece {
  const field = FIRST_UNKNOWN[level] + rng.pick([0, 1, 30, 1000, 2 ** 20, 2 ** 28])
  if (rng.chance(45)) {
    const content = rng.pick<Bytes>([
      [],
      integer(1, 5),
      len(2, utf8('secret')),
      [...fixed64(9, 1n), ...fixed32(5)],
    ])
    const wire = rng.chance(80)
      ? groups(field, rng.pick([1, 1, 2, 31, 32]), content)
      : groups(field, 20, groups(1, 12, content))
    return { ...sound(wire), ignored: 'group' }
  }
  const wire = rng.pick([
    integer(field, 2n ** 64n - 1n),
    integer(field, 0, 4),
    fixed64(field, 7n),
    fixed32(field),
    len(field, utf8('secret')),
    len(field, [0x0a, 99], 2),
  ])
  return { ...sound(wire), ignored: 'unknown-field' }
}

function frameFault(rng: Rng, level: Level): Piece {
  const unknown = FIRST_UNKNOWN[level] + rng.below(40)
  const known: Bytes[] = {
    request: [integer(1, 1), fixed64(1, 1n), fixed32(1), groups(1, 1, [])],
    resource: [1, 2, 3].flatMap((field) => [
      integer(field, 1),
      fixed64(field, 1n),
      fixed32(field),
      groups(field, 1, []),
    ]),
    scope: [1, 2, 3].flatMap((field) => [
      integer(field, 1),
      fixed64(field, 1n),
      fixed32(field),
      groups(field, 1, []),
    ]),
    span: [
      ...[1, 2, 3, 4, 5, 9, 11, 13, 15].flatMap((field) => [
        integer(field, 1),
        fixed64(field, 1n),
        groups(field, 1, []),
      ]),
      ...[6, 10, 12, 14].flatMap((field) => [len(field, [1]), fixed32(field)]),
      ...[7, 8, 16].flatMap((field) => [len(field, [1]), integer(field, 1)]),
      ...[7, 8].map((field) => fixed32(field)),
      fixed64(16, 1n),
    ],
  }[level]
  const lengthDelimited = {
    request: [1],
    resource: [1, 2, 3],
    scope: [1, 2, 3],
    span: [1, 2, 3, 4, 5, 9, 11, 13, 15],
  }[level]
  const fault = (name: string, wire: Bytes, last = false): Piece => ({
    wire,
    clean: [],
    fault: { class: name, outcome: 'request' },
    last,
  })
  switch (rng.below(4)) {
    case 0: {
      const field = rng.chance(50) ? rng.pick(lengthDelimited) : unknown
      const cut: Bytes[] = [
        [...short(field * 8 + 2), ...varint(1 + rng.below(1000))],
        [...short(field * 8 + 2), ...varint(2 ** 32 - 1)],
        short(field * 8 + 2),
        [...short(field * 8 + 2), 0x80],
        short(unknown * 8),
        [...short(unknown * 8), 0xff, 0xff],
        [...short(unknown * 8 + 1), 1, 2, 3, 4, 5, 6, 7],
        [...short(unknown * 8 + 5), 1, 2, 3],
        [0x8a],
      ]
      if (level === 'span') cut.push([0x30], [0x30, 0x80], [0x39, 1, 2, 3], [0x41], [0x85, 0x01, 1])
      return fault('truncation', rng.pick(cut), true)
    }
    case 1:
      return fault(
        'field-zero',
        rng.pick([
          [0, 1],
          [1, 1, 2, 3, 4, 5, 6, 7, 8],
          [2, 0],
          [5, 1, 2, 3, 4],
          [6],
          [7, 1],
          short(unknown * 8 + 6),
          [...short(unknown * 8 + 7), 0],
          short(rng.pick(lengthDelimited) * 8 + 7),
        ]),
      )
    case 2: {
      const start = short(unknown * 8 + 3)
      if (rng.chance(50))
        return fault(
          'group-bad',
          rng.pick([
            [...start, ...short((unknown + 1) * 8 + 4)],
            groups(unknown, 33, []),
            groups(unknown, 70, [0x08, 1]),
            short(unknown * 8 + 4),
          ]),
        )
      return fault(
        'group-bad',
        rng.pick([
          start,
          [...start, 0x08, 1],
          [...start, ...groups(3, 2, [])],
          [...start, ...start, ...short(unknown * 8 + 4)],
          [...start, 0x12, 9, 1],
        ]),
        true,
      )
    }
    default:
      return fault('wire-type', rng.pick(known))
  }
}
