// The actions that send a digest: pseudonyms of the strong recipe, and for compat policies the
// plain hash and the HMAC of an old reporter. What is hashed is the text as it came, or as the
// steps left it; an empty text is never hashed.
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'
import type { Period } from '../../policy/policy.ts'
import { STRING, type Value } from '../attribute-slots.ts'
import { Memo } from '../bounded-cache.ts'
import type { Apply, Encode } from '../encoded-attribute.ts'
import { isText, textOf } from '../text.ts'
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
// promise: pseudonym-needs-secret
export function pseudonyms(
  field: string,
  period: Period,
  context: PseudonymContext,
  encode: Encode,
): Apply {
  const { secret, project } = context
  if (secret === undefined) return () => undefined
  const made = new Memo<Uint8Array>()
  let keyPeriod = ''
  let key = pseudonymKey(secret, project, field, keyPeriod)
  return (value) => {
    if (!isFilled(value)) return undefined
    const now = context.period(period)
    // promise: no-earlier-pseudonym
    // promise: pseudonyms-of-the-period
    if (now !== keyPeriod) {
      keyPeriod = now
      key = pseudonymKey(secret, project, field, now)
      made.clear()
    }
    const known = made.get(value)
    if (known !== undefined) return known
    const text = textOf(value)
    if (text === undefined) return undefined
    const outcome = encode(pseudonym(key, text))
    made.set(value, outcome)
    return outcome
  }
}

export function plainHash(algorithm: 'sha256' | 'md5', encode: Encode): Apply {
  const made = new Memo<Uint8Array>()
  return (value) => {
    if (!isFilled(value)) return undefined
    const known = made.get(value)
    if (known !== undefined) return known
    if (!isText(value)) return undefined
    const outcome = encode(hash(algorithm, bytesOf(value), 'hex'))
    made.set(value, outcome)
    return outcome
  }
}

/**
 * The text is the message. Without a key that is a text, and not an empty one, there is no value.
 */
export function keyedHash(algorithm: 'sha256', key: Value, encode: Encode): Apply {
  const made = new Memo<Uint8Array>()
  let keyBytes: Buffer = Buffer.alloc(0)
  let keyObject: KeyObject | undefined
  return (value) => {
    if (!isFilled(value) || !isFilled(key)) return undefined
    if (keyObject === undefined || keyBytes.compare(key.bytes, key.start, key.end) !== 0) {
      if (!isText(key)) return undefined
      keyBytes = Buffer.from(bytesOf(key))
      keyObject = createSecretKey(keyBytes)
      made.clear()
    }
    const known = made.get(value)
    if (known !== undefined) return known
    if (!isText(value)) return undefined
    const outcome = encode(createHmac(algorithm, keyObject).update(bytesOf(value)).digest('hex'))
    made.set(value, outcome)
    return outcome
  }
}

const isFilled = (value: Value): boolean => value.kind === STRING && value.start < value.end
const bytesOf = ({ bytes, start, end }: Value): Buffer => bytes.subarray(start, end)
