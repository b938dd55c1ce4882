// Parses the values that OTLP/JSON writes as text: 64-bit integers, doubles, ids in hex and bytes
// in base64. Each function reads a part of `bytes` and returns whether it is valid. None throws.

import type { Output } from './json-output.ts'
import { hexDigit, isDigit } from './json-reader.ts'

/** The longest text that is read as a number or an id. An exact double needs up to 770 digits. */
export const MAX_SHORT_TEXT = 1024

const TWO_32 = 0x1_0000_0000

/** An exact 64-bit integer: its magnitude in two halves, and its sign. */
export class Whole {
  low = 0
  high = 0
  negative = false

  /** Reads `-?(0|[1-9][0-9]*)` below 2^64 and nothing else. */
  read(bytes: Uint8Array, start: number, stop: number): boolean {
    this.low = this.high = 0
    this.negative = bytes[start] === 0x2d && start < stop
    let at = this.negative ? start + 1 : start
    if (at >= stop || (bytes[at] === 0x30 && stop - at > 1)) return false
    for (; at < stop; at++) {
      if (!isDigit(bytes[at])) return false
      const low = this.low * 10 + (bytes[at]! - 0x30)
      this.low = low >>> 0
      this.high = this.high * 10 + Math.floor(low / TWO_32)
    }
    return this.high < TWO_32
  }

  get isZero(): boolean {
    return this.low === 0 && this.high === 0
  }

  /**
   * Returns whether the number lies within -2^(bits-1) and 2^(bits-1) - 1. If so, `low` and `high`
   * become its 64-bit two's complement.
   */
  toSigned(bits: 32 | 64): boolean {
    const top = bits === 64 ? this.high : this.low
    if (bits === 32 && this.high !== 0) return false
    const isLowest = this.negative && top === 0x8000_0000 && (bits === 32 || this.low === 0)
    if (top >= 0x8000_0000 && !isLowest) return false
    if (this.negative) {
      this.high = (~this.high + (this.low === 0 ? 1 : 0)) >>> 0
      this.low = -this.low >>> 0
    }
    return true
  }

  /** Returns whether the number is at least 0 and below 2^bits. */
  isUnsigned(bits: 32 | 64): boolean {
    return (!this.negative || this.isZero) && (bits === 64 || this.high === 0)
  }
}

const SPECIAL_DOUBLES = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
])
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/

/** `undefined` if the text is no number or exceeds the range of doubles. */
export function parseDouble(bytes: Uint8Array, start: number, stop: number): number | undefined {
  if (stop - start > MAX_SHORT_TEXT) return undefined
  let text = ''
  for (let i = start; i < stop; i++) text += String.fromCharCode(bytes[i]!)
  const special = SPECIAL_DOUBLES.get(text)
  if (special !== undefined) return special
  const number = NUMBER.test(text) ? Number(text) : Number.NaN
  return Number.isFinite(number) ? number : undefined
}

/**
 * Writes bytes from hex of either case. Returns false for anything else; the caller then removes
 * what was written.
 */
export function writeHex(out: Output, bytes: Uint8Array, start: number, stop: number): boolean {
  for (let i = start; i < stop; i += 2) {
    const high = hexDigit(bytes[i])
    const low = i + 1 < stop ? hexDigit(bytes[i + 1]) : -1
    if (high < 0 || low < 0) return false
    out.byte((high << 4) | low)
  }
  return true
}

const SIXTY_FOUR = new Int8Array(256).fill(-1)
for (const [index, letter] of [
  ...Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'),
].entries())
  SIXTY_FOUR[letter] = index
// "Either standard or URL-safe base64 encoding with/without paddings are accepted" (protobuf,
// ProtoJSON).
SIXTY_FOUR[0x2d] = 62
SIXTY_FOUR[0x5f] = 63

/** Writes bytes from base64 inside a checked JSON string. Returns false like `writeHex`. */
export function writeBase64(out: Output, bytes: Uint8Array, start: number, stop: number): boolean {
  let bits = 0
  let letters = 0
  let padding = 0
  for (let i = start; i < stop; i++) {
    let letter = bytes[i]!
    if (letter === 0x5c) {
      letter = bytes[++i]!
      if (letter === 0x75) {
        const high = (hexDigit(bytes[i + 1]) << 4) | hexDigit(bytes[i + 2])
        letter = high === 0 ? (hexDigit(bytes[i + 3]) << 4) | hexDigit(bytes[i + 4]) : 0
        i += 4
      } else if (letter !== 0x2f) return false
    }
    if (letter === 0x3d) {
      padding++
      continue
    }
    const value = SIXTY_FOUR[letter]!
    if (value < 0 || padding > 0) return false
    bits = ((bits << 6) | value) & 0xff_ffff
    letters++
    if ((letters & 3) === 0) {
      out.byte(bits >>> 16)
      out.byte((bits >>> 8) & 0xff)
      out.byte(bits & 0xff)
    }
  }
  const rest = letters & 3
  if (rest === 2) out.byte((bits >>> 4) & 0xff)
  if (rest === 3) {
    out.byte(bits >>> 10)
    out.byte((bits >>> 2) & 0xff)
  }
  return rest !== 1 && (padding === 0 || (rest > 1 && padding === 4 - rest))
}
