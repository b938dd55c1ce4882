// Pseudonyms of the strong recipe: the same input gives the same 32 hex digits within one project,
// field and period, and nothing that links it to another. Without the installation's secret there
// are none; there is no fallback.
//
//   lp(x…)  each UTF-8 text as 4-byte big-endian length, then its bytes
//   key     HKDF-SHA256(secret, salt "usage-sidecar/pseudonym/v1",
//                       info lp(project, field, period), 32 bytes)
//   value   first 16 bytes of HMAC-SHA256(key, lp(NFC(input))), lower-case hex
//   period  "2026-10-05" (day) or "2026-10" (month), UTC
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

export const PSEUDONYM_SALT = 'usage-sidecar/pseudonym/v1'

/** Texts that cannot be confused with one another whatever they hold. */
export function lengthPrefixed(...texts: string[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = Buffer.from(text, 'utf8')
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      return [length, bytes]
    }),
  )
}

/** HKDF-SHA256 of the installation's secret (32 bytes) for one purpose. */
export function deriveKey(
  secret: Uint8Array,
  salt: string,
  info: Uint8Array,
  bytes: number,
): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, bytes))
}

/** A prebuilt KeyObject: handing createHmac the raw key costs ten times as much at every call. */
export function pseudonymKey(
  secret: Uint8Array,
  project: string,
  field: string,
  period: string,
): KeyObject {
  return createSecretKey(
    deriveKey(secret, PSEUDONYM_SALT, lengthPrefixed(project, field, period), 32),
  )
}

/** 32 hex digits. */
export function pseudonym(key: KeyObject, input: string): string {
  return createHmac('sha256', key)
    .update(lengthPrefixed(input.normalize('NFC')))
    .digest('hex')
    .slice(0, 32)
}
