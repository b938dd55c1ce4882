// Writes one of two twin requests: what both have, and around it, from a seed of its own, whatever
// no rule reads.
import type { PolicyFile, SpanRule } from '../support/oracle-policy.ts'
import {
  type Bytes,
  fixed32,
  fixed64,
  integer,
  len,
  short,
  utf8,
  varint,
} from '../support/otlp-pieces.ts'
import { attribute, NOT_UTF8, oddKey } from '../support/otlp-values.ts'
import { type Vocabularies, vocabularies } from '../support/otlp-vocabulary.ts'
import type { Rng } from '../support/rng.ts'

/**
 * What the policy names of one span; each attribute is a KeyValue, or a malformed one as a whole.
 */
export interface Named {
  rule: string
  attributes: readonly Attribute[]
  traceId: Bytes
  spanId: Bytes
  parentId: Bytes
  start: bigint
  duration: bigint
  status: number
}

export type Attribute = { key: string; value: Bytes } | { opaque: Bytes }

/** Spans that came with one resource. */
export interface Host {
  resource: readonly Attribute[]
  spans: readonly Named[]
}

export interface Twins {
  hosts: readonly Host[]
  /** Of what differs. */
  seeds: readonly [number, number]
  /**
   * The kinds of differences that there are, by bit, so that a counter-example shrinks to the one
   * that matters.
   */
  differ: number
}

const KINDS = 8
const [ORDER, GROUPING, VARINTS, ATTRIBUTES, PLACES, SPANS, IDS, TIMES] = Array.from(
  { length: KINDS },
  (_, i) => 1 << i,
) as [number, number, number, number, number, number, number, number]
export const ALL = (1 << KINDS) - 1
const DAY_NS = 86_400_000_000_000n
const UNITS: Record<string, bigint> = {
  day: DAY_NS,
  hour: 3_600_000_000_000n,
  minute: 60_000_000_000n,
}

/** What the twins of one policy need to know of it. */
export class Terms {
  readonly words: Vocabularies
  readonly rules: ReadonlyMap<string, SpanRule>
  readonly reads: ReadonlyMap<string, { duration: boolean; status: boolean }>
  constructor(policy: PolicyFile) {
    this.words = vocabularies(policy)
    this.rules = new Map(
      Object.entries(policy.spans).filter(([name]) => name !== 'usage.heartbeat'),
    )
    this.reads = new Map(
      [...this.rules].map(([name, rule]) => {
        const sources = Object.values(rule.attributes ?? {}).flatMap(({ from, or, key }) =>
          [from ?? [], or ?? [], key ?? []].flat(),
        )
        return [
          name,
          {
            duration: sources.includes('span:duration'),
            status: rule.status === 'keep' || sources.includes('span:status'),
          },
        ]
      }),
    )
  }
}

export class Writer {
  readonly #rng: Rng
  readonly #differ: number
  readonly #terms: Terms
  constructor(rng: Rng, differ: number, terms: Terms) {
    this.#rng = rng
    this.#differ = differ
    this.#terms = terms
  }

  #may(kind: number, percent: number): boolean {
    return (this.#differ & kind) !== 0 && this.#rng.chance(percent)
  }

  #pad(most: number): number {
    return this.#may(VARINTS, 20) ? 1 + this.#rng.below(most) : 0
  }

  #mixed(parts: readonly Bytes[]): number[] {
    return this.#shuffled(parts).flat()
  }

  #shuffled<T>(list: readonly T[]): T[] {
    const parts = [...list]
    if (!this.#may(ORDER, 80)) return parts
    for (let i = parts.length - 1; i > 0; i--) {
      const j = this.#rng.below(i + 1)
      ;[parts[i], parts[j]] = [parts[j]!, parts[i]!]
    }
    return parts
  }

  request(hosts: readonly Host[]): number[] {
    const parts: number[] = []
    const readsResource = this.#terms.words.resource !== undefined
    // Where no rule reads the resource, it does not matter which spans came with which.
    const groups = readsResource
      ? hosts
      : [{ resource: [], spans: hosts.flatMap(({ spans }) => spans) }]
    // Fresh ids are given out in the order of the input; which order that was is then random for
    // the collector.
    const allLinked = [...this.#terms.rules.values()].every(({ ids }) => ids === 'linked')
    for (const { resource, spans } of groups) {
      for (const some of this.#split(allLinked ? this.#shuffled(spans) : spans)) {
        const scopes = this.#split(some).map((few) => this.#scope(few))
        const inside: number[] = scopes.flat()
        const own = readsResource || this.#may(PLACES, 40) ? [this.#resource(resource)] : []
        const urls = this.#may(PLACES, 30) ? [len(3, utf8('https://example.org/schema'))] : []
        const around = this.#mixed([inside, ...own, ...urls, ...this.#unknown(4)])
        parts.push(...len(1, around, this.#pad(3)))
      }
    }
    return this.#mixed([parts, ...this.#unknown(2)])
  }

  /** The same list in one piece or in several, empty ones among them. */
  #split<T>(list: readonly T[]): T[][] {
    const pieces: T[][] = [[]]
    for (const item of list) {
      if (this.#may(GROUPING, 50)) pieces.push([])
      pieces.at(-1)!.push(item)
    }
    if (this.#may(GROUPING, 20)) pieces.push([])
    return pieces
  }

  #resource(named: readonly Attribute[]): number[] {
    const own = named.map((one) => this.#attribute(one, 1))
    if (this.#terms.words.resource === undefined)
      return this.#rng.chance(80)
        ? len(1, len(1, [...len(1, utf8('host.name')), ...len(2, len(1, utf8('secret')))]))
        : len(1, [0xff, 0xff])
    const unnamed = this.#may(ATTRIBUTES, 60) ? [this.#unnamed(1)] : []
    const dropped = this.#may(PLACES, 30) ? [integer(2, this.#rng.below(9))] : []
    return len(1, this.#mixed([...own, ...unnamed, ...dropped]), this.#pad(3))
  }

  #scope(spans: readonly Named[]): number[] {
    const inside = spans.flatMap((span) => [
      ...this.#unlisted(),
      ...len(2, this.#span(span), this.#pad(3)),
      ...this.#unlisted(),
    ])
    const scope = this.#may(PLACES, 40)
      ? [len(1, [...len(1, utf8('library')), ...len(2, utf8(String(this.#rng.below(99))))])]
      : []
    const url = this.#may(PLACES, 30) ? [len(3, NOT_UTF8[this.#rng.below(NOT_UTF8.length)]!)] : []
    return len(2, this.#mixed([inside, ...scope, ...url, ...this.#unknown(4)]), this.#pad(3))
  }

  /** A span that the policy does not list, sound or not. */
  #unlisted(): number[] {
    if (!this.#may(SPANS, 30)) return []
    const rng = this.#rng
    const name = rng.pick([
      'GET /users/42',
      '',
      'constructor',
      '__proto__',
      [...this.#terms.rules.keys()][0]!.toUpperCase(),
      'usage.heartbeat',
    ])
    const named = [...this.#terms.rules.keys()].includes(name) ? 'x' : name
    return len(2, [
      ...len(1, rng.chance(90) ? rng.bytes(16) : []),
      ...len(2, rng.bytes(8)),
      ...len(5, utf8(named)),
      ...this.#unnamed(9),
    ])
  }

  #span({ rule, attributes, ...span }: Named): number[] {
    const rng = this.#rng
    const words = this.#terms.rules.get(rule)!
    const reads = this.#terms.reads.get(rule)!
    const fresh = words.ids !== 'linked' && this.#may(IDS, 80)
    const parent = fresh ? (rng.chance(50) ? [] : rng.bytes(8)) : span.parentId
    const { start, end } = this.#times(
      span.start,
      span.duration,
      words.time ?? 'day',
      reads.duration,
    )
    const parts: Bytes[] = [
      len(1, fresh ? [2, ...rng.bytes(15)] : span.traceId, this.#pad(3)),
      len(2, fresh ? [2, ...rng.bytes(7)] : span.spanId, this.#pad(3)),
      ...(parent.length === 0 ? [] : [len(4, parent)]),
      len(5, utf8(rule), this.#pad(3)),
      fixed64(7, start),
      fixed64(8, end),
      ...this.#status(span.status, reads.status),
      ...attributes.map((one) => this.#attribute(one, 9)),
    ]
    if (this.#may(ATTRIBUTES, 50))
      for (let i = rng.below(4); i >= 0; i--) parts.push(this.#unnamed(9))
    if (this.#may(PLACES, 60)) {
      parts.push(
        ...rng.pick<Bytes[]>([
          [
            len(11, [...fixed64(1, 5n), ...len(2, utf8('exception'))]),
            len(13, [...len(1, rng.bytes(16)), ...len(2, rng.bytes(8))]),
          ],
          [len(11, [0x0a, 99]), integer(12, 7)],
          [len(3, utf8('vendor=secret')), integer(6, rng.below(6), rng.below(2))],
          [fixed32(16), integer(10, rng.below(99)), integer(14, 1)],
        ]),
      )
    }
    parts.push(...this.#unknown(17))
    return this.#mixed(parts)
  }

  #times(
    start: bigint,
    duration: bigint,
    time: string,
    reads: boolean,
  ): { start: bigint; end: bigint } {
    const unit = UNITS[time]
    if (unit === undefined || !this.#may(TIMES, 80)) return { start, end: start + duration }
    const shifted = start - (start % unit) + (BigInt(this.#rng.below(2 ** 31)) * unit) / 2n ** 31n
    return {
      start: shifted,
      end: shifted + (reads ? duration : BigInt(this.#rng.below(2 ** 31)) * 1000n),
    }
  }

  #status(code: number, reads: boolean): Bytes[] {
    const rng = this.#rng
    const message = this.#may(PLACES, 40)
      ? [len(2, rng.chance(50) ? utf8('secret message') : NOT_UTF8[1]!)]
      : []
    const told = reads || !this.#may(PLACES, 50) ? code : rng.below(3)
    if (told === 0 && message.length === 0 && this.#may(PLACES, 50)) return []
    return [len(15, this.#mixed([...message, integer(3, told, this.#pad(4))]))]
  }

  #attribute(one: Attribute, field: number): number[] {
    if ('opaque' in one) return [...one.opaque]
    const key = len(1, utf8(one.key), this.#pad(3))
    const value = len(2, this.#padded(one.value), this.#pad(3))
    return len(field, this.#mixed([key, value]), this.#pad(3))
  }

  /** An AnyValue with longer varints. */
  #padded(value: Bytes): Bytes {
    const [tag, ...rest] = value
    if (tag === undefined || !this.#may(VARINTS, 50)) return value
    const wireType = tag & 7
    const last = rest.findIndex((byte) => byte < 0x80)
    if ((wireType !== 0 && wireType !== 2) || last < 0)
      return [...short(tag, this.#pad(4)), ...rest]
    const most = (wireType === 0 ? 10 : 5) - (last + 1)
    const more = Math.min(this.#rng.below(5), most)
    const number = rest.slice(0, last + 1)
    const longer =
      more === 0 ? number : [...number.slice(0, -1), number.at(-1)! | 0x80, ...varint(0, more - 1)]
    return [...short(tag, this.#pad(4)), ...longer, ...rest.slice(last + 1)]
  }

  /** An attribute that no rule reads, sound or not. */
  #unnamed(field: number): number[] {
    const rng = this.#rng
    if (field === 9 && rng.chance(10)) return [...oddKey(rng).wire]
    const key = rng.pick([
      'user.password',
      'http.url',
      'label.customer-acme',
      '__proto__',
      'Execution.Type',
    ])
    return [...attribute(rng, key, [], false, 'user.mailbox', field).wire]
  }

  #unknown(first: number): Bytes[] {
    if (!this.#may(PLACES, 25)) return []
    const field = first + this.#rng.pick([0, 1, 30, 2 ** 20])
    return [
      this.#rng.pick<Bytes>([
        integer(field, 2n ** 63n),
        fixed64(field, 7n),
        fixed32(field),
        len(field, utf8('secret')),
        [...short(field * 8 + 3), ...len(2, utf8('secret')), ...short(field * 8 + 4)],
      ]),
    ]
  }
}
