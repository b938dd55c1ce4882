// Almost valid connections for fuzzing the receivers: HTTP/1.1 requests and HTTP/2 frames of valid
// and invalid parts, then changed, cut and repeated. Every text in them is a canary.
import { gzipSync } from 'node:zlib'
import {
  callHead,
  frame,
  METRICS,
  message,
  PREFACE,
  setting,
  TYPE,
  u32,
} from '../support/raw-http2.ts'
import { execution } from '../support/sidecar.ts'

/** From 0 to 1. */
export type Random = () => number

const SOUND = execution()
const JSON_SOUND = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${'07'.repeat(16)}","spanId":"${'09'.repeat(8)}","name":"CANARY"}]}]}]}`

const pick = <T>(random: Random, from: readonly T[]): T => from[Math.floor(random() * from.length)]!
const below = (random: Random, bound: number): number => Math.floor(random() * bound)

export function bend(random: Random, bytes: Buffer): Buffer {
  let bent = Buffer.from(bytes)
  for (let left = below(random, 4); left > 0 && bent.length > 0; left--) {
    const at = below(random, bent.length)
    const how = random()
    if (how < 0.4) bent[at] = below(random, 256)
    else if (how < 0.6)
      bent = Buffer.concat([
        bent.subarray(0, at),
        bent.subarray(Math.min(bent.length, at + below(random, 20))),
      ])
    else if (how < 0.8)
      bent = Buffer.concat([
        bent.subarray(0, at),
        bent.subarray(Math.max(0, at - 20), at),
        bent.subarray(at),
      ])
    else bent = Buffer.from(bent.subarray(0, at))
  }
  return bent
}

function chunked(random: Random, body: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const piece = body.subarray(at, at + Math.max(1, below(random, body.length)))
    pieces.push(
      Buffer.from(`${piece.length.toString(16)}${pick(random, ['', ';CANARY=1'])}\r\n`),
      piece,
      Buffer.from('\r\n'),
    )
    at += piece.length
  }
  return Buffer.concat([...pieces, Buffer.from(`0\r\n${pick(random, ['', 'x: CANARY\r\n'])}\r\n`)])
}

const HOSTS = [
  'host: localhost',
  'host: 127.0.0.1:4318',
  'host: CANARY.example',
  'x: y',
  'host: a\r\nhost: b',
]
const ODD_HEADERS = [
  'expect: 100-continue',
  'expect: CANARY',
  'connection: close',
  'connection: upgrade\r\nupgrade: h2c',
  'trailer: x',
  'content-length: 3',
  'transfer-encoding: gzip, chunked',
]
const METHODS = ['POST', 'POST', 'POST', 'POST', 'GET', 'HEAD', 'OPTIONS', 'CONNECT', 'PRI']
const PATHS = [
  '/v1/traces',
  '/v1/traces',
  '/v1/traces',
  '/v1/metrics',
  '/v1/logs',
  '/CANARY',
  'http://CANARY/v1/traces',
  '*',
]

export function httpRequest(random: Random): Buffer {
  const isJson = random() < 0.4
  let body = isJson ? Buffer.from(JSON_SOUND) : SOUND
  if (random() < 0.3) body = bend(random, body)
  const headers = [
    pick(random, HOSTS),
    `content-type: application/${isJson ? 'json' : 'x-protobuf'}`,
  ]
  if (random() < 0.3) {
    body = gzipSync(body)
    if (random() < 0.3) body = bend(random, body)
    headers.push('content-encoding: gzip')
  }
  if (random() < 0.15) headers.push(pick(random, ODD_HEADERS))
  const isChunked = random() < 0.4
  headers.push(
    isChunked
      ? 'transfer-encoding: chunked'
      : `content-length: ${pick(random, [body.length, body.length, body.length, body.length + 1, 0, 99_999_999_999])}`,
  )
  const head = `${pick(random, METHODS)} ${pick(random, PATHS)} HTTP/1.${pick(random, [1, 1, 1, 0])}\r\n${headers.join('\r\n')}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), isChunked ? chunked(random, body) : body])
}

const ODD_CALLS: readonly Record<string, string>[] = [
  {},
  {},
  { 'grpc-encoding': 'gzip' },
  ...['1m', '0m', '5n', '99999999H', 'CANARY'].map((time) => ({ 'grpc-timeout': time })),
  { ':path': METRICS },
  { ':path': '/CANARY' },
  { 'content-type': 'CANARY' },
  { 'content-length': '3' },
  { ':method': 'GET' },
  { connection: 'close' },
  { UPPER: 'x' },
]
const SETTINGS: readonly Buffer[] = [
  setting(1, 0),
  setting(1, 0xffff_ffff),
  setting(4, 0),
  setting(4, 0xffff_ffff),
  setting(5, 1),
  setting(8, 1),
  setting(99, 1),
]

export function http2Frames(random: Random): Buffer {
  const frames: Buffer[] = []
  let stream = 1
  for (let left = 1 + below(random, 12); left > 0; left--) {
    const id = random() < 0.8 ? stream : below(random, 20)
    const what = random()
    if (what < 0.35)
      frames.push(callHead(stream, pick(random, [4, 4, 4, 5, 0, 1]), pick(random, ODD_CALLS)))
    else if (what < 0.7) {
      const sound = message(random() < 0.5 ? SOUND : gzipSync(SOUND), pick(random, [0, 1, 2]))
      frames.push(
        frame(
          TYPE.data,
          pick(random, [1, 1, 0, 9]),
          id,
          random() < 0.3 ? bend(random, sound) : sound,
        ),
      )
      if (random() < 0.8) stream += 2
    } else if (what < 0.76) frames.push(frame(TYPE.reset, 0, id, u32(pick(random, [0, 8, 2, 99]))))
    else if (what < 0.82)
      frames.push(
        frame(TYPE.window, 0, pick(random, [0, id]), u32(pick(random, [0, 1, 0x7fffffff]))),
      )
    else if (what < 0.86)
      frames.push(frame(TYPE.settings, pick(random, [0, 1]), 0, pick(random, SETTINGS)))
    else if (what < 0.9)
      frames.push(frame(TYPE.ping, pick(random, [0, 1]), 0, Buffer.alloc(pick(random, [8, 7]))))
    else if (what < 0.93)
      frames.push(frame(TYPE.goaway, 0, 0, Buffer.concat([u32(0), u32(0), Buffer.from('CANARY')])))
    else if (what < 0.96) frames.push(frame(TYPE.continuation, 4, id, Buffer.of(0)))
    else
      frames.push(
        frame(
          pick(random, [2, 5, 10, 0xee]),
          below(random, 256),
          id,
          Buffer.alloc(below(random, 10)),
        ),
      )
  }
  const whole = Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0), ...frames])
  return random() < 0.2 ? bend(random, whole) : whole
}
