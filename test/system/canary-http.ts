// Requests with secrets as bytes on a connection: in every header, and malformed in many ways.
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { len } from '../support/otlp-pieces.ts'
import { PROTOBUF } from '../support/sidecar.ts'
import { type Entry, fieldOf, toJson, toProtobuf } from './canary-message.ts'
import { CanaryRequests } from './canary-request.ts'
import type { Secrets } from './canary-search.ts'

export const JSON_TYPE = { 'content-type': 'application/json' }

/** All bytes that the sidecar answers until it closes the connection. */
export function exchange(port: number, bytes: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => void socket.write(bytes))
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
    // An early close is an answer as well.
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(Buffer.concat(chunks)))
  })
}

/** Headers that intermediaries may set, each with a secret. */
export const secretHeaders = (secrets: Secrets): Record<string, string> =>
  Object.fromEntries(
    [
      'authorization',
      'cookie',
      'baggage',
      'tracestate',
      'traceparent',
      'user-agent',
      'x-forwarded-for',
      'x-tenant',
      'referer',
    ].map((name) => [name, secrets.text(`header ${name}`)]),
  )

/** One request on a connection of its own. */
export function requestBytes(
  headers: Record<string, string>,
  body: Uint8Array | string,
  line = 'POST /v1/traces',
): Buffer {
  const content = Buffer.from(body)
  const all = {
    host: '127.0.0.1',
    connection: 'close',
    'content-length': String(content.length),
    ...headers,
  }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([Buffer.from(`${line} HTTP/1.1\r\n${head.join('')}\r\n`), content])
}

/** Requests with secrets that are refused, each in its own way. */
export function* malformedRequests(
  secrets: Secrets,
  common: Record<string, string>,
): IterableIterator<Buffer> {
  let count = 0
  const secret = (): string => secrets.text(`malformed ${++count}`)
  const send = (
    headers: Record<string, string>,
    body: Uint8Array | string,
    line?: string,
  ): Buffer => requestBytes({ ...common, ...headers }, body, line)
  const span = new CanaryRequests(secrets, 'protobuf', 'malformed protobuf').message('Span', {
    'Span.name': [{ text: 'execution' }],
    'Span.attributes': [],
  })
  const requestOf = (message: readonly Entry[]): Buffer =>
    Buffer.from(len(1, len(2, len(2, [...toProtobuf(message)]))))
  yield send(
    PROTOBUF,
    requestOf([
      fieldOf('trace_id', 1, 'bytes', { bytes: secrets.bytes('trace id of 15 bytes', 15) }),
      ...span,
    ]),
  )
  const protobuf = requestOf(span)
  for (let cut = 1; cut < protobuf.length; cut += 29)
    yield send(PROTOBUF, protobuf.subarray(0, cut))
  for (let at = 0; at < protobuf.length; at += 29)
    yield send(PROTOBUF, Buffer.from(protobuf).fill(0xff, at, at + 1))
  const json = toJson(
    new CanaryRequests(secrets, 'json', 'malformed json').message('ExportTraceServiceRequest', {
      'Span.attributes': [],
      'Resource.attributes': [],
    }),
  )
  for (let cut = 1; cut < json.length; cut += 127) yield send(JSON_TYPE, json.slice(0, cut))
  for (let at = 0; at < json.length; at += 131)
    yield send(JSON_TYPE, `${json.slice(0, at)}\u0001${json.slice(at)}`)
  for (const text of [
    secret(),
    `{"${secret()}`,
    `{"resourceSpans":"${secret()}"}`,
    `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":${secret()}}]}]}]}`,
  ])
    yield send(JSON_TYPE, text)
  for (const type of [PROTOBUF, JSON_TYPE]) {
    yield send(type, secret())
    yield send(
      { ...type, 'content-encoding': 'gzip' },
      Buffer.concat([gzipSync(secret()).subarray(0, 14), Buffer.from(secret())]),
    )
    yield send({ ...type, 'content-encoding': 'gzip' }, gzipSync(secret()))
    yield send({ ...type, 'content-encoding': secret() }, secret())
    yield send(type, secret(), `POST /${secret()}?${secret()}`)
    yield send(type, secret(), 'PUT /v1/traces')
  }
  yield send({ 'content-type': `text/${secret()}` }, secret())
  yield send({ 'content-type': `application/json; charset=${secret()}` }, secret())
  yield send({ ...PROTOBUF, 'content-length': secret() }, secret())
  yield send({ ...PROTOBUF, 'x-long': secret().repeat(1000) }, '')
  yield send(PROTOBUF, '', `${secret().toUpperCase()} /v1/traces`)
  yield Buffer.from(`${secret()}\r\n\r\n`)
  yield send({ 'transfer-encoding': 'chunked', 'content-length': '' }, `${secret()}\r\n${secret()}`)
}
