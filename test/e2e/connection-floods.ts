// Attacks by many clients with few bytes each, over HTTP and HTTP/2. Each attack costs a receiver
// without limits more than its sender. `bytes` are the first bytes of each connection.
import {
  CALL,
  callHead,
  END_STREAM,
  frame,
  headerBlock,
  message,
  PREFACE,
  setting,
  TYPE,
  u32,
} from '../support/raw-http2.ts'

export interface ConnectionFlood {
  name: string
  listener: 'http' | 'grpc' | 'health' | 'page'
  connections: number
  bytes: (at: number) => Buffer | string
  /** The client does not read the answers. */
  neverReads?: boolean
}

const POST = 'POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n'
const EMPTY = `${POST}content-type: application/json\r\ncontent-length: 2\r\n\r\n{}`
const HELLO = Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0)])
const hello = (...frames: readonly Uint8Array[]): Buffer => Buffer.concat([HELLO, ...frames])
const METRICS = { ':path': '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export' }
const calls = (count: number, make: (stream: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(2 * i + 1)))
/** A field that fills the HPACK table. After it, one byte repeats the field. */
const table = Buffer.concat([
  headerBlock(CALL),
  Buffer.of(0x40),
  headerBlock({ a: 'x'.repeat(4000) }).subarray(1),
])
const again = Buffer.concat([headerBlock(CALL), Buffer.alloc(16_000, 0xbe)])

export const CONNECTION_FLOODS: readonly ConnectionFlood[] = [
  { name: 'idle connections', listener: 'http', connections: 1100, bytes: () => '' },
  {
    name: 'endless headers',
    listener: 'http',
    connections: 1000,
    bytes: () => `${POST}a: ${'x'.repeat(7_000)}`,
  },
  {
    name: 'thousands of header fields',
    listener: 'http',
    connections: 1000,
    bytes: () => POST + 'a:\r\n'.repeat(20_000),
  },
  {
    name: 'endless trailers',
    listener: 'http',
    connections: 200,
    bytes: () =>
      `${POST}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n${'a: b\r\n'.repeat(50_000)}`,
  },
  {
    name: 'chunks of one byte',
    listener: 'http',
    connections: 200,
    bytes: () =>
      `${POST}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${'1\r\n \r\n'.repeat(50_000)}`,
  },
  {
    name: 'pipelines of the smallest requests',
    listener: 'http',
    connections: 300,
    bytes: () => EMPTY + 'GET / HTTP/1.1\r\nhost:\r\n\r\n'.repeat(20_000),
  },
  {
    name: 'pipelines with unread responses',
    listener: 'http',
    connections: 100,
    bytes: () => EMPTY.repeat(2_000),
    neverReads: true,
  },
  {
    name: 'metrics over every limit',
    listener: 'http',
    connections: 300,
    bytes: () =>
      Buffer.concat([
        Buffer.from(
          `${POST.replace('traces', 'metrics')}content-type: application/json\r\ncontent-length: 900000000\r\n\r\n`,
        ),
        Buffer.alloc(1_000_000),
      ]),
  },
  {
    name: 'pipelines to the health port',
    listener: 'health',
    connections: 250,
    bytes: () => 'GET /livez HTTP/1.1\r\nhost:\r\n\r\n'.repeat(20_000),
  },
  {
    name: 'headers to the health port',
    listener: 'health',
    connections: 600,
    bytes: () => `GET /livez HTTP/1.1\r\n${'a:\r\n'.repeat(2_000)}`,
  },
  {
    name: 'pipelines to the page',
    listener: 'page',
    connections: 100,
    bytes: () => 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(20_000),
  },
  { name: 'silent connections', listener: 'grpc', connections: 600, bytes: () => '' },
  { name: 'HTTP/2 connections', listener: 'grpc', connections: 600, bytes: () => HELLO },
  {
    name: 'endless calls',
    listener: 'grpc',
    connections: 250,
    bytes: () => hello(calls(100, (stream) => callHead(stream))),
  },
  {
    name: 'calls with large headers',
    listener: 'grpc',
    connections: 250,
    bytes: () =>
      hello(calls(100, (stream) => callHead(stream, undefined, { a: 'x'.repeat(7_000) }))),
  },
  {
    name: 'responses behind a closed window',
    listener: 'grpc',
    connections: 250,
    bytes: () =>
      Buffer.concat([
        PREFACE,
        frame(TYPE.settings, 0, 0, setting(4, 0)),
        calls(100, (stream) =>
          Buffer.concat([
            callHead(stream),
            frame(TYPE.data, END_STREAM, stream, message(Buffer.alloc(0))),
          ]),
        ),
      ]),
  },
  {
    name: 'stalled bodies',
    listener: 'http',
    connections: 1000,
    bytes: () =>
      `${POST}content-type: application/json\r\ncontent-length: 100000\r\n\r\n${' '.repeat(4_000)}`,
  },
  {
    name: 'stalled calls',
    listener: 'grpc',
    connections: 250,
    bytes: () =>
      hello(
        calls(100, (stream) =>
          Buffer.concat([callHead(stream), frame(TYPE.data, 0, stream, Buffer.alloc(4_000))]),
        ),
      ),
  },
  {
    name: 'pings',
    listener: 'grpc',
    connections: 50,
    bytes: () => hello(Buffer.alloc(17 * 50_000, frame(TYPE.ping, 0, 0, Buffer.alloc(8)))),
  },
  {
    name: 'pings with unread responses',
    listener: 'grpc',
    connections: 50,
    bytes: () => hello(Buffer.alloc(17 * 50_000, frame(TYPE.ping, 0, 0, Buffer.alloc(8)))),
    neverReads: true,
  },
  {
    name: 'settings with unread responses',
    listener: 'grpc',
    connections: 50,
    bytes: () => hello(Buffer.alloc(9 * 50_000, frame(TYPE.settings, 0, 0))),
    neverReads: true,
  },
  {
    name: 'empty data',
    listener: 'grpc',
    connections: 50,
    bytes: () => hello(callHead(1), Buffer.alloc(9 * 50_000, frame(TYPE.data, 0, 1))),
  },
  {
    name: 'continuations',
    listener: 'grpc',
    connections: 100,
    bytes: () =>
      hello(
        callHead(1, 0),
        Buffer.alloc(12 * 50_000, frame(TYPE.continuation, 0, 1, Buffer.of(0, 0, 0))),
      ),
  },
  {
    name: 'resets',
    listener: 'grpc',
    connections: 50,
    bytes: () =>
      hello(
        calls(5_000, (stream) =>
          Buffer.concat([callHead(stream), frame(TYPE.reset, 0, stream, u32(8))]),
        ),
      ),
  },
  {
    name: 'references to large header fields',
    listener: 'grpc',
    connections: 100,
    bytes: () =>
      hello(
        frame(TYPE.headers, 4, 1, table),
        calls(99, (stream) => frame(TYPE.headers, 4, stream + 2, again)),
      ),
  },
  {
    name: 'endless metrics',
    listener: 'grpc',
    connections: 100,
    bytes: () =>
      hello(
        callHead(1, undefined, METRICS),
        Buffer.alloc(60 * 1_000, frame(TYPE.data, 0, 1, Buffer.alloc(991))),
      ),
  },
]
