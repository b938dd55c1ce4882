// Requests that cost a receiver more than their sender. Each one is as large as the sidecar
// accepts.
import { gzipSync } from 'node:zlib'
import { lenField } from '../../src/otlp/wire.ts'
import { bodies } from '../bench/load.ts'
import { attribute, request, span, text } from '../support/spans.ts'
import type { Shot } from './flood.ts'

export interface Attack {
  name: string
  connections: number
  rounds: number
  shots: readonly Shot[]
}

const protobuf = (body: Uint8Array): Shot => ({ body, type: 'application/x-protobuf' })
const zipped = (body: Uint8Array): Shot => ({
  body: gzipSync(body),
  type: 'application/x-protobuf',
  gzip: true,
})
const json = (body: string): Shot => ({ body: Buffer.from(body), type: 'application/json' })

/** Fills a request of nearly `bytes` with copies of one span. */
function spansUpTo(bytes: number, one: Uint8Array): Buffer {
  const field = lenField(2, one)
  return lenField(
    1,
    lenField(2, Buffer.alloc(Math.floor((bytes - 64) / field.length) * field.length, field)),
  )
}
/** Only the required fields of a span: 37 bytes that become 55 under the default policy. */
const smallest = (name: string, ...more: Uint8Array[]): Buffer =>
  Buffer.concat([
    lenField(1, Buffer.alloc(16, 7)),
    lenField(2, Buffer.alloc(8, 9)),
    lenField(5, Buffer.from(name)),
    ...more,
  ])
const sixteen = attribute(
  'stage.cloud_providers',
  text(Array.from({ length: 16 }, (_, i) => 'abcdefghijklmnop'[i]).join(',')),
)
/** `[item,item,…]` of nearly `bytes`. */
const list = (bytes: number, item: string): string =>
  `[${`${item},`.repeat(Math.floor(bytes / (item.length + 1)) - 1)}${item}]`
const spansJson = (members: string): string =>
  `{"resourceSpans":[{"scopeSpans":[{"spans":${members}}]}]}`
const oneSpan = (attributes: string): string =>
  spansJson(
    `[{"traceId":"${'07'.repeat(16)}","spanId":"${'09'.repeat(8)}","name":"stage","attributes":${attributes}}]`,
  )

/** `max`: the largest body that the sidecar accepts. */
export function attacks(max: number): Attack[] {
  const real = bodies(1, Math.floor(max / 520))[0]!
  const available = max - 400
  return [
    {
      name: 'the largest real body',
      connections: 300,
      rounds: 2,
      shots: [protobuf(real), zipped(real)],
    },
    {
      name: 'a body of one byte too many',
      connections: 200,
      rounds: 2,
      shots: [protobuf(Buffer.alloc(max + 1))],
    },
    {
      name: 'tens of thousands of the smallest spans',
      connections: 200,
      rounds: 2,
      shots: [
        protobuf(spansUpTo(max, smallest('stage'))),
        protobuf(spansUpTo(max * 0.6, smallest('stage'))),
      ],
    },
    {
      name: 'spans that nobody listed',
      connections: 200,
      rounds: 2,
      shots: [protobuf(spansUpTo(max, smallest('x')))],
    },
    {
      name: 'two million empty spans',
      connections: 200,
      rounds: 1,
      shots: [protobuf(spansUpTo(max, Buffer.alloc(0)))],
    },
    {
      name: 'spans with thousands of attributes',
      connections: 200,
      rounds: 2,
      shots: [4096, 5000, max / 2 - 100].map((count) => {
        const one = smallest('stage', Buffer.alloc(2 * count, Buffer.from([0x4a, 0])))
        return protobuf(spansUpTo(max, one))
      }),
    },
    {
      name: 'splits that make sixteen spans of one',
      connections: 200,
      rounds: 2,
      shots: [
        protobuf(spansUpTo(max, smallest('stage', sixteen))),
        protobuf(spansUpTo(max / 15, smallest('stage', sixteen))),
      ],
    },
    {
      name: 'gzip bombs',
      connections: 300,
      rounds: 4,
      shots: [
        zipped(Buffer.alloc(64 * 1024 * 1024)),
        zipped(Buffer.alloc(max)),
        lying(zipped(Buffer.alloc(max)).body),
      ],
    },
    {
      name: 'JSON that is deep',
      connections: 200,
      rounds: 2,
      shots: [
        json('['.repeat(available)),
        json('{"a":'.repeat(available / 5)),
        json(oneSpan(`[{"key":"k","value":${'{"arrayValue":{"values":['.repeat(available / 24)}`)),
      ],
    },
    {
      name: 'JSON of the smallest tokens',
      connections: 200,
      rounds: 2,
      shots: [
        json(spansJson(list(available, '{}'))),
        json(oneSpan(list(available, '{}'))),
        json(oneSpan(list(available, '0'))),
        json(spansJson(list(available, '{"flags":0}'))),
      ],
    },
    {
      name: 'JSON of escapes',
      connections: 200,
      rounds: 2,
      shots: ['\\n', '\\u0041', '\\ud800'].map((letter) =>
        json(
          oneSpan(
            `[{"key":"k","value":{"stringValue":"${letter.repeat(available / letter.length)}"}}]`,
          ),
        ),
      ),
    },
  ]
}

/** A gzip stream whose last four bytes (ISIZE) claim that it is almost empty. */
function lying(stream: Uint8Array): Shot {
  const body = Buffer.from(stream)
  body.writeUInt32LE(1, body.length - 4)
  return { body, type: 'application/x-protobuf', gzip: true }
}

/** A normal request. */
export const normal = (): Shot =>
  protobuf(request(span({ name: 'stage', more: [attribute('stage.type', text('bake'))] })))
