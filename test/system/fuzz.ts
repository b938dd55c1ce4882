// Fuzzing of the protobuf walk and of the JSON reader: sound requests, then damaged by bytes, by
// pieces and by the words of the grammar. Whatever comes, the answer is a batch that can be read
// and holds nothing unlisted, or a refusal.
import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { type Anonymizer, createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { decodeRequest } from '../../src/otlp/decode.ts'
import { jsonToProtobuf } from '../../src/otlp/json.ts'
import { lenField } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { Counters } from '../../src/support/counters.ts'
import { Refusal } from '../../src/support/errors.ts'
import type { PolicyFile } from '../support/oracle-policy.ts'
import { requestOf } from '../support/otlp-arbitrary.ts'
import { encode, fixed64, integer, len, short, utf8 } from '../support/otlp-pieces.ts'
import { Rng } from '../support/rng.ts'
import { SECRET } from '../support/spans.ts'

export const FIXTURES = new URL('../fixtures/fuzz/', import.meta.url).pathname
const NOW = Date.UTC(2026, 9, 5, 14)
const MAX_BYTES = 2 ** 20
export const FORMS = ['protobuf', 'json'] as const
export type Form = (typeof FORMS)[number]

const policyFile = (name: string): string =>
  readFileSync(new URL(`../fixtures/policies/${name}.yaml`, import.meta.url), 'utf8')
const POLICIES = ['resource', 'copies', 'steps'].map(policyFile)
const FILES = POLICIES.map((text) => parse(text) as PolicyFile)

export class Fuzz {
  readonly #anonymizers: readonly Anonymizer[] = POLICIES.map((text) =>
    createAnonymizer({
      policy: parsePolicy(text),
      facts: new Map(),
      secret: SECRET,
      counters: new Counters(),
      maxBytes: MAX_BYTES,
    }),
  )
  taken = 0
  refused = 0

  /** Throws where the input is neither taken nor refused as it must be. */
  try(form: Form, body: Uint8Array): void {
    let bytes: Uint8Array
    try {
      bytes = form === 'json' ? jsonToProtobuf(body, MAX_BYTES) : body
    } catch (error) {
      this.#refusal(error)
      return
    }
    for (const anonymizer of this.#anonymizers) {
      try {
        const passed = anonymizer.pass(bytes, NOW)
        const batch = decodeRequest(lenField(1, lenField(2, passed.bytes)))
        const spans = batch.resourceSpans.flatMap(({ scopeSpans }) =>
          scopeSpans.flatMap((scope) => scope.spans),
        )
        if (spans.length !== passed.spans)
          throw new Error(`${passed.spans} spans are said and ${spans.length} are there`)
        if (Buffer.from(passed.bytes).includes('secret'))
          throw new Error('a secret is in the batch')
        this.taken++
      } catch (error) {
        this.#refusal(error)
      }
    }
  }

  #refusal(error: unknown): void {
    if (!(error instanceof Refusal)) throw error
    if (error.status !== 400 && error.status !== 413)
      throw new Error(`refused with ${error.status}`)
    if (!/^[A-Z][^\p{Cc}]{5,200}\.$/u.test(error.message))
      throw new Error('a refusal without a sentence')
    this.refused++
  }
}

/** The input of a seed. */
export function inputOf(form: Form, seed: number): Uint8Array {
  const rng = new Rng(seed)
  return form === 'json'
    ? json(rng)
    : damaged(rng, [...encode(requestOf(rng.pick(FILES), NOW, seed)).wire], protobufPiece)
}

function damaged(rng: Rng, bytes: number[], piece: (rng: Rng) => readonly number[]): Uint8Array {
  // A sound one now and then, so that what is behind the frame is reached.
  for (let i = rng.below(4); i > 0; i--) {
    const at = rng.below(bytes.length + 1)
    const length = rng.chance(60) ? rng.below(4) : rng.below(40)
    switch (rng.below(5)) {
      case 0:
        bytes.splice(at, length)
        break
      case 1:
        bytes.splice(at, 0, ...piece(rng))
        break
      case 2:
        bytes.splice(at, 1, rng.below(256))
        break
      case 3:
        bytes.splice(at, 0, ...bytes.slice(rng.below(bytes.length + 1)).slice(0, length))
        break
      default:
        bytes.splice(at, length, ...rng.bytes(length))
    }
  }
  return Uint8Array.from(bytes)
}

function protobufPiece(rng: Rng): readonly number[] {
  const field = rng.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 2 ** 28])
  return rng.pick<readonly number[]>([
    len(field, utf8('secret'), rng.below(4)),
    integer(field, rng.pick([0n, 1n, 2n ** 53n, 2n ** 64n - 1n]), rng.below(3)),
    fixed64(field, 2n ** 63n),
    short(field * 8 + rng.below(8)),
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    Array.from({ length: 11 }, () => 0x80),
    Array.from({ length: 40 }, () => 0x0b),
  ])
}

const MEMBERS =
  'resourceSpans resource_spans scopeSpans spans name traceId spanId parentSpanId startTimeUnixNano endTimeUnixNano attributes key value stringValue intValue doubleValue boolValue bytesValue arrayValue values kvlistValue status code message resource events links secret __proto__ constructor'.split(
    ' ',
  )
const WORDS = [
  ...[
    '"secret"',
    '"deploy"',
    '"build"',
    '"image"',
    '""',
    '"\\u0000"',
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"00112233445566778899aabbccddeeff"',
  ],
  ...[
    '"0011223344556677"',
    '"1791207431000000000"',
    '0',
    '-0',
    '1e400',
    '-1.5E-7',
    '01',
    '9'.repeat(400),
    'true',
    'false',
    'null',
    'NaN',
    '"NaN"',
  ],
]

/** A request in the grammar of OTLP/JSON, with anything in any place. */
function json(rng: Rng): Uint8Array {
  const value = (depth: number): string => {
    if (depth > 9 || rng.chance(25)) return rng.pick(WORDS)
    const some = (make: () => string): string =>
      Array.from({ length: rng.below(4) }, make).join(rng.chance(97) ? ',' : ' ')
    return rng.chance(50)
      ? `[${some(() => value(depth + 1))}]`
      : `{${some(() => `"${rng.pick(MEMBERS)}":${value(depth + 1)}`)}}`
  }
  const attribute = (): string =>
    `{"key":"${rng.pick(['image', 'secret', 'targets', 'user'])}","value":{"${rng.pick(MEMBERS)}":${value(7)}}}`
  const span = (): string =>
    `{"traceId":${rng.chance(90) ? '"00112233445566778899aabbccddeeff"' : value(7)},"spanId":"0011223344556677","name":${rng.chance(70) ? rng.pick(['"deploy"', '"build"', '"call"']) : value(8)},"attributes":[${attribute()},${attribute()}],"${rng.pick(MEMBERS)}":${value(6)}}`
  const request = rng.chance(30)
    ? value(0)
    : `{"resourceSpans":[{"resource":${value(7)},"scopeSpans":[{"spans":[${span()},${span()}]}]}]}`
  return damaged(rng, [...Buffer.from(request)], (one) => [
    ...Buffer.from(
      one.pick([
        ...WORDS,
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '{'.repeat(200),
        '['.repeat(2000),
      ]),
    ),
  ])
}

/** Inputs that once broke something, by the form in their name. */
export const kept = (): [form: Form, name: string, body: Uint8Array][] =>
  readdirSync(FIXTURES).flatMap((name) => {
    const form = FORMS.find((one) => name.endsWith(`.${one}`))
    return form === undefined ? [] : [[form, name, readFileSync(`${FIXTURES}${name}`)]]
  })
