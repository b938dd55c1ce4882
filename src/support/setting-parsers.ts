// Parsers of settings: text in, value out, or a sentence (without the text) that says what is
// expected.
import { isIPv4, isIPv6 } from 'node:net'

export interface ListenAddress {
  /**
   * Empty: all addresses, of IPv6 and IPv4; where IPv6 is off, of IPv4 alone (node:net decides,
   * `::` would fail there).
   */
  host: string
  port: number
}

/** Thrown by a parser; the text completes "USAGE_X …". */
export class WrongSetting extends Error {}

const DURATION_UNITS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const SIZE_UNITS: Record<string, number> = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }

/** Milliseconds of `0`, `500ms`, `30s`, `5m`, `1h`, `7d`. */
export function duration(text: string): number {
  if (text === '0') return 0
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)
  if (match === null) throw new WrongSetting('must be a duration, for example 30s, 5m, 1h or 7d.')
  return Number(match[1]) * DURATION_UNITS[match[2]!]!
}

export function positiveDuration(text: string): number {
  const result = duration(text)
  if (result < 100) throw new WrongSetting('must be a duration of at least 100ms.')
  return result
}

/** Bytes of `1048576`, `64KiB`, `64MiB`, `1GiB`; at least 64 KiB. */
export function size(text: string): number {
  const match = /^(\d{1,12})(KiB|MiB|GiB)?$/.exec(text)
  const bytes = match === null ? Number.NaN : Number(match[1]) * SIZE_UNITS[match[2] ?? '']!
  if (!(bytes >= 65_536))
    throw new WrongSetting('must be a size of at least 64KiB, for example 8MiB.')
  return bytes
}

/**
 * `127.0.0.1:4318`, `[::1]:4318`, or `:4319` for all addresses, as an empty host. Port 0 takes a
 * free one.
 */
export function listenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2] ?? ''
  const port = Number(match?.[3])
  const known = host === '' || host === 'localhost' || isIPv4(host) || isIPv6(host)
  if (match === null || port > 65_535 || !known)
    throw new WrongSetting('must be an address and a port, for example 127.0.0.1:4318.')
  return { host, port }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

/** For raw spans, and for the page of the admin. */
export function loopbackAddress(text: string): ListenAddress {
  const at = listenAddress(text)
  // promise: loopback-only
  if (!isLoopback(at.host))
    throw new WrongSetting(
      'must be a loopback address, for example 127.0.0.1:4318, so that only the pod can reach it.',
    )
  return at
}

/**
 * Base URL of the collector: https, or http where the way to it does not leave the machine or the
 * cluster.
 */
export function endpoint(text: string): string {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new WrongSetting('must be a URL, for example https://usage.example.org.')
  }
  const inside =
    isLoopback(url.hostname.replace(/^\[|\]$/g, '')) || /\.(svc|cluster\.local)$/.test(url.hostname)
  // promise: https-only
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && inside)) {
    throw new WrongSetting(
      'must begin with https://. Only loopback and services of the cluster (*.svc) may use http://.',
    )
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new WrongSetting(
      'must be a base URL without user, query and fragment. Put credentials into USAGE_HEADERS_FILE.',
    )
  }
  return text
}

/** The proxy is spoken to in plain HTTP; what goes through it is TLS from end to end. */
export function proxy(text: string): string {
  const url = URL.parse(text)
  const percent = /%(?![0-9a-fA-F]{2})/
  const bare =
    url !== null &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '' &&
    !percent.test(text)
  if (!bare || url.protocol !== 'http:')
    throw new WrongSetting(
      'must be the URL of an HTTP proxy, for example http://proxy.example.org:3128.',
    )
  return text
}

export function oneOf<Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((candidate) => candidate === text)
    if (word === undefined) throw new WrongSetting(`must be one of ${words.join(', ')}.`)
    return word
  }
}

export function anyText(text: string): string {
  return text
}

export function digest(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new WrongSetting(
      'must be a SHA-256 of 64 lower-case hex digits, as `policy check` prints it.',
    )
  return text
}
