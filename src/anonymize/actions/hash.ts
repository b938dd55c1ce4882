// The actions that send a digest: pseudonyms, and for compat policies the hash and the HMAC of an
// old reporter. They hash the text after its steps. An empty text is never hashed.
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'
import type { Period } from '../../policy/policy.ts'
import { type InputValue, STRING } from '../attribute-slots.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { Apply, Encode } from '../encoded-attribute.ts'
import { decodeText, isValidText } from '../text.ts'
import { pseudonym, pseudonymKey } from './pseudonym.ts'

/** What pseudonyms need; `period` gives the current UTC day or month, or the word `forever`. */
export interface PseudonymContext {
  project: string
  secret: Uint8Array | undefined
  period: (of: Period) => string
}

/**
 * `field` is the name of the outgoing attribute: another one, another project or period gives
 * another pseudonym.
 */
export function pseudonyms(
  field: string,
  period: Period,
  context: PseudonymContext,
  encode: Encode,
): Apply {
  const { secret, project } = context
  // promise: pseudonym-needs-secret
  if (secret === undefined) return () => undefined
  const made = new BoundedCache<Uint8Array>()
  let keyPeriod = ''
  let key = pseudonymKey(secret, project, field, keyPeriod)
  return (value) => {
    if (!isFilled(value)) return undefined
    const now = context.period(period)
    // promise: pseudonyms-of-the-period
    if (now !== keyPeriod) {
      keyPeriod = now
      key = pseudonymKey(secret, project, field, now)
      // promise: no-earlier-pseudonym
      made.clear()
    }
    const known = made.get(value)
    if (known !== undefined) return known
    const text = decodeText(value)
    if (text === undefined) return undefined
    const encoded = encode(pseudonym(key, text))
    made.set(value, encoded)
    return encoded
  }
}

export function plainHash(algorithm: 'sha256' | 'md5', encode: Encode): Apply {
  const made = new BoundedCache<Uint8Array>()
  return (value) => {
    if (!isFilled(value)) return undefined
    const known = made.get(value)
    if (known !== undefined) return known
    if (!isValidText(value)) return undefined
    const encoded = encode(hash(algorithm, bytesOf(value), 'hex'))
    made.set(value, encoded)
    return encoded
  }
}

/**
 * The text is the message. Without a key that is a text, and not an empty one, there is no value.
 */
export function keyedHash(algorithm: 'sha256', key: InputValue, encode: Encode): Apply {
  const made = new BoundedCache<Uint8Array>()
  let keyBytes: Buffer = Buffer.alloc(0)
  let keyObject: KeyObject | undefined
  return (value) => {
    if (!isFilled(value) || !isFilled(key)) return undefined
    if (keyObject === undefined || keyBytes.compare(key.bytes, key.start, key.end) !== 0) {
      if (!isValidText(key)) return undefined
      keyBytes = Buffer.from(bytesOf(key))
      keyObject = createSecretKey(keyBytes)
      made.clear()
    }
    const known = made.get(value)
    if (known !== undefined) return known
    if (!isValidText(value)) return undefined
    const encoded = encode(createHmac(algorithm, keyObject).update(bytesOf(value)).digest('hex'))
    made.set(value, encoded)
    return encoded
  }
}

const isFilled = (value: InputValue): boolean => value.kind === STRING && value.start < value.end
const bytesOf = ({ bytes, start, end }: InputValue): Buffer => bytes.subarray(start, end)
