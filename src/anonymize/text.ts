// Checks and decodes the text of values. Only a listed value is ever turned into a string.
import { isUtf8 } from 'node:buffer'
import type { Fold } from '../policy/policy.ts'
import type { InputValue } from './attribute-slots.ts'

/** Whether the bytes of a STRING value are UTF-8. */
export function isValidText({ bytes, start, end }: InputValue): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! >= 0x80) return isUtf8(bytes.subarray(start, end))
  return true
}

/** The text of a STRING value; `undefined` where it is not UTF-8. */
export function decodeText(value: InputValue): string | undefined {
  return isValidText(value) ? value.bytes.toString('utf8', value.start, value.end) : undefined
}

/** Letters' case without a locale, as Unicode has it. */
export function folded(text: string, fold: Fold): string {
  return fold === 'upper' ? text.toUpperCase() : fold === 'lower' ? text.toLowerCase() : text
}
