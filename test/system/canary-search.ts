// Secrets with the places that hold them, and the search for them: plain, in hex, in base64 at any
// offset, and hashed. The search takes the first eight bytes of a hash, so it finds cut hashes as
// well.
import { hash, randomBytes, randomInt } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { varint } from '../support/otlp-pieces.ts'

/** Search patterns have at least this many bytes, so that a chance hit is impossible. */
const GRAM = 8
const HASHES = ['md5', 'sha1', 'sha256', 'sha512']
const LETTERS = 24

interface Pattern {
  place: string
  base: string
  form: string
  bytes: string
}

/** A secret in a place where it must not be. */
export interface Finding {
  place: string
  form: string
  /** The place in which it was found. */
  where: string
}

export class Secrets {
  /** The places that hold one. */
  readonly places = new Set<string>()
  readonly #patterns = new Map<string, Pattern[]>()
  /** Most bytes start no pattern; a bit for each three bytes says so without a look-up. */
  readonly #starts = new Uint8Array(2 ** 21)

  text(place: string): string {
    const text = Array.from({ length: LETTERS }, () =>
      String.fromCharCode(0x61 + randomInt(26)),
    ).join('')
    this.#add(place, {
      text: Buffer.from(text),
      'upper case': Buffer.from(text.toUpperCase()),
      'UTF-16': Buffer.from(text, 'utf16le'),
    })
    return text
  }

  bytes(place: string, length: number): Buffer {
    const bytes = randomBytes(length)
    this.#add(place, { bytes, 'hex text': Buffer.from(bytes.toString('hex')) })
    return bytes
  }

  /** At least 56 of its bits are random. */
  integer(place: string): bigint {
    const integer = randomBytes(8).readBigInt64LE() | (1n << 61n)
    this.#number(place, String(integer), (bytes) => bytes.writeBigInt64LE(integer), {
      varint: Buffer.from(varint(integer)),
    })
    return integer
  }

  double(place: string): number {
    const double = 1 + randomBytes(6).readUIntLE(0, 6) / 2 ** 48
    this.#number(place, String(double), (bytes) => bytes.writeDoubleLE(double))
    return double
  }

  /** Nanoseconds since 1970, between two moments in milliseconds. */
  time(place: string, fromMs: number, toMs: number): bigint {
    const time =
      BigInt(fromMs) * 1_000_000n +
      (randomBytes(8).readBigUInt64LE() % (BigInt(toMs - fromMs) * 1_000_000n))
    this.#number(place, String(time), (bytes) => bytes.writeBigUInt64LE(time))
    return time
  }

  /** An existing value, such as a key. */
  existing(place: string, text: string): void {
    this.#add(place, { text: Buffer.from(text) })
  }

  #number(
    place: string,
    text: string,
    write: (bytes: Buffer) => void,
    more: Record<string, Buffer> = {},
  ): void {
    const little = Buffer.alloc(8)
    write(little)
    const big = Buffer.from(little).reverse()
    this.#add(place, {
      'little endian': little,
      'big endian': big,
      text: Buffer.from(text),
      ...more,
    })
  }

  #add(place: string, bases: Record<string, Buffer>): void {
    if (this.places.has(place)) throw new Error(`two secrets are in ${place}`)
    this.places.add(place)
    for (const [base, bytes] of Object.entries(bases))
      for (const [form, pattern] of formsOf(bytes)) this.#pattern(place, base, form, pattern)
  }

  #pattern(place: string, base: string, form: string, bytes: string): void {
    const gram = bytes.slice(0, GRAM)
    if (gram.length < GRAM) throw new Error(`too little to look for in ${place}: ${form}`)
    const start = startOf(bytes.charCodeAt(0), bytes.charCodeAt(1), bytes.charCodeAt(2))
    this.#starts[start >> 3]! |= 1 << (start & 7)
    const pattern = { place, base, form, bytes }
    const same = this.#patterns.get(gram)
    if (same === undefined) this.#patterns.set(gram, [pattern])
    else same.push(pattern)
  }

  /** Every secret in these bytes. Gzip is searched compressed and decompressed. */
  search(where: string, bytes: Buffer): Finding[] {
    const text = bytes.toString('latin1')
    const found: Finding[] = []
    for (let at = 0; at + GRAM <= text.length; at++) {
      const start = startOf(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!)
      if ((this.#starts[start >> 3]! & (1 << (start & 7))) === 0) continue
      for (const pattern of this.#patterns.get(text.slice(at, at + GRAM)) ?? []) {
        const { place, form, base } = pattern
        if (text.startsWith(pattern.bytes, at))
          found.push({ place, form: `${form} of ${base}`, where })
      }
    }
    if (bytes[0] === 0x1f && bytes[1] === 0x8b)
      found.push(...this.search(`${where}, unpacked`, gunzipSync(bytes)))
    return found
  }
}

/** Three bytes as a number, for a set of those with which a pattern starts. */
const startOf = (first: number, second: number, third: number): number =>
  (first << 16) | (second << 8) | third

/** A secret in all forms; a character is a byte. */
function* formsOf(bytes: Buffer): IterableIterator<[form: string, pattern: string]> {
  yield ['itself', bytes.toString('latin1')]
  yield* printed('', bytes)
  for (const algorithm of HASHES) {
    const start = hash(algorithm, bytes, 'buffer').subarray(0, GRAM)
    yield [algorithm, start.toString('latin1')]
    yield* printed(`${algorithm} `, start)
  }
}

const BEFORE = [Buffer.alloc(0), Buffer.alloc(1), Buffer.alloc(2)]

/** The text forms of bytes. */
function* printed(what: string, bytes: Buffer): IterableIterator<[form: string, pattern: string]> {
  const hex = bytes.toString('hex')
  yield [`${what}hex`, hex]
  yield [`${what}HEX`, hex.toUpperCase()]
  for (const [before, zeros] of BEFORE.entries()) {
    // The characters that depend on these bytes only, whatever is before and after them.
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6)]
    const text = Buffer.concat([zeros, bytes]).toString('base64').slice(from, to)
    yield [`${what}base64 behind ${before}`, text]
    const forUrl = text.replaceAll('+', '-').replaceAll('/', '_')
    if (forUrl !== text) yield [`${what}base64 behind ${before}`, forUrl]
  }
}
