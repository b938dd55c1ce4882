// Reads the head of an OTLP/HTTP request and throws a Refusal if the request is not one for us.
import type { IncomingMessage } from 'node:http'
import { isLocalHost } from '../net/host-check.ts'
import type { Encoding } from '../otlp/answer.ts'
import { Refusal } from '../support/errors.ts'

const PATH = '/v1/traces'
/** Discarded unread and counted: a policy has no words for metrics and logs. */
const DISCARDED = ['/v1/metrics', '/v1/logs']
/** node:http keeps no more headers of a request. */
export const MAX_HEADERS = 64
export const CONTENT_TYPES: Record<Encoding, string> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
}

/** The encoding of the Content-Type; `undefined` if it is neither protobuf nor JSON. */
export function encodingOf(request: IncomingMessage): Encoding | undefined {
  const type = request.headers['content-type']
  if (type === CONTENT_TYPES.protobuf) return 'protobuf'
  const bare = type?.split(';', 1)[0]?.trim().toLowerCase()
  return bare === CONTENT_TYPES.protobuf
    ? 'protobuf'
    : bare === CONTENT_TYPES.json
      ? 'json'
      : undefined
}

/** `isPublic`: the receiver has a public name, so any Host is right. */
export function checkHeaders(request: IncomingMessage, isPublic: boolean): void {
  const { expect, host } = request.headers
  if (expect !== undefined && !/^100-continue$/i.test(expect))
    throw new Refusal(417, 'Send no Expect header, or Expect: 100-continue.')
  if (request.rawHeaders.length >= 2 * MAX_HEADERS)
    throw new Refusal(431, 'The header is too large. Send fewer header fields.')
  if (host === undefined) {
    if (request.httpVersionMinor > 0) throw new Refusal(400, 'Send one Host header.')
    return
  }
  // promise: accept-host-checked
  if (!isPublic && !isLocalHost(host))
    throw new Refusal(421, 'The Host header names another machine. Use localhost or 127.0.0.1.')
}

/** True for metrics and logs, false for traces. */
export function isDiscarded(request: IncomingMessage, encoding: Encoding | undefined): boolean {
  const path = request.url?.split('?', 1)[0] ?? ''
  if (path !== PATH && !DISCARDED.includes(path))
    throw new Refusal(404, `The path is unknown. Send traces to ${PATH}.`)
  if (request.method !== 'POST') throw new Refusal(405, 'Send traces with POST.')
  if (encoding === undefined)
    throw new Refusal(415, 'Send Content-Type application/x-protobuf or application/json.')
  return path !== PATH
}

export function isGzip(request: IncomingMessage): boolean {
  const coding = request.headers['content-encoding']?.trim().toLowerCase()
  if (coding === undefined || coding === '' || coding === 'identity') return false
  if (coding === 'gzip' || coding === 'x-gzip') return true
  throw new Refusal(415, 'Send Content-Encoding gzip, or none.')
}
