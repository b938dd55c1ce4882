// Reads JSON tokens (RFC 8259) straight from the bytes. It copies and builds nothing, and skips
// values that nobody needs. Invalid JSON throws a 400 with the offset and no byte of the input.
import { badRequest, type Refusal } from '../support/errors.ts'

export const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const MINUS = 0x2d
export const OBJECT = 0x7b
export const OBJECT_END = 0x7d
export const LIST = 0x5b
export const LIST_END = 0x5d
export const NULL = 0x6e
export const TRUE = 0x74
export const FALSE = 0x66
/** Returned by `peek` behind the last byte. */
const END = -1

/** Limits nested arrays and objects, because each level takes stack. */
export const MAX_DEPTH = 64

const LITERALS = new Map(
  [NULL, TRUE, FALSE].map((first, index) => [
    first,
    Buffer.from(['null', 'true', 'false'][index]!),
  ]),
)

export const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= 0x30 && byte <= 0x39

/** Value of a hex digit in either case; -1 for any other byte. */
export function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** Whether a value that begins with this byte can be a number. */
export const beginsNumber = (byte: number): boolean => byte === MINUS || isDigit(byte)

export class JsonReader {
  readonly bytes: Uint8Array
  pos = 0
  /** Start of the last string (without its quotes) or number. */
  start = 0
  stop = 0
  /** Whether the last string has escapes. */
  escaped = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  fail(what: string, position = this.pos): Refusal {
    return badRequest(
      position >= this.bytes.length ? 'OTLP JSON that is cut off' : `OTLP JSON with ${what}`,
      position,
    )
  }

  /** Returns the first byte of the next token. */
  peek(): number {
    const { bytes } = this
    let pos = this.pos
    while (pos < bytes.length) {
      const byte = bytes[pos]!
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        this.pos = pos
        return byte
      }
      pos++
    }
    this.pos = pos
    return END
  }

  /** Steps into an object or a list. Returns false if it is empty and already closed. */
  begin(open: number, close: number): boolean {
    if (this.peek() !== open) throw this.fail('something else where an object or a list belongs')
    this.pos++
    if (this.peek() !== close) return true
    this.pos++
    return false
  }

  /** Moves behind a member or an item. Returns false at the end of the list. */
  next(close: number): boolean {
    const byte = this.peek()
    if (byte !== COMMA && byte !== close)
      throw this.fail('something else where a comma or an end belongs')
    this.pos++
    return byte === COMMA
  }

  /** Reads the name of a member and the colon behind it. */
  name(): void {
    if (this.peek() !== QUOTE) throw this.fail('something else where the name of a member belongs')
    this.string()
    if (this.peek() !== 0x3a) throw this.fail('something else where a colon belongs')
    this.pos++
  }

  /** Reads from the opening quote. Escapes are checked; bytes above ASCII are not. */
  string(): void {
    const { bytes } = this
    const { length } = bytes
    let pos = this.pos + 1
    this.start = pos
    this.escaped = false
    while (pos < length) {
      const byte = bytes[pos]!
      if (byte === QUOTE) {
        this.stop = pos
        this.pos = pos + 1
        return
      }
      if (byte < 0x20) throw this.fail('a control character in a string', pos)
      pos++
      if (byte === BACKSLASH) {
        this.escaped = true
        pos += this.#escape(pos)
      }
    }
    throw this.fail('', length)
  }

  /** Length of the escape at `pos`, behind its backslash. */
  #escape(pos: number): number {
    const { bytes } = this
    const letter = bytes[pos]
    if (letter !== 0x75) {
      // One of " \ / b f n r t
      if (letter === QUOTE || letter === BACKSLASH || letter === 0x2f || letter === 0x62) return 1
      if (letter === 0x66 || letter === 0x6e || letter === 0x72 || letter === 0x74) return 1
      throw this.fail('an unknown escape', pos)
    }
    for (let i = 1; i <= 4; i++)
      if (hexDigit(bytes[pos + i]) < 0) throw this.fail('an unknown escape', pos + i)
    return 5
  }

  number(): void {
    const { bytes } = this
    this.escaped = false
    this.start = this.pos
    if (bytes[this.pos] === MINUS) this.pos++
    if (bytes[this.pos] === 0x30) this.pos++
    else this.#digits()
    if (bytes[this.pos] === 0x2e) {
      this.pos++
      this.#digits()
    }
    if ((bytes[this.pos]! | 0x20) === 0x65) {
      this.pos++
      if (bytes[this.pos] === MINUS || bytes[this.pos] === 0x2b) this.pos++
      this.#digits()
    }
    this.stop = this.pos
  }

  #digits(): void {
    if (!isDigit(this.bytes[this.pos])) throw this.fail('something else where a digit belongs')
    do this.pos++
    while (isDigit(this.bytes[this.pos]))
  }

  /** Reads `null`, `true` or `false`. */
  literal(): void {
    const word = LITERALS.get(this.peek())
    if (word === undefined) throw this.fail('something else where a value belongs')
    for (const letter of word) {
      if (this.bytes[this.pos] !== letter) throw this.fail('an unknown word')
      this.pos++
    }
  }

  /** Skips one value of any kind. */
  skip(depth = 0): void {
    const byte = this.peek()
    if (byte === QUOTE) this.string()
    else if (beginsNumber(byte)) this.number()
    else if (byte !== OBJECT && byte !== LIST) this.literal()
    else {
      if (depth === MAX_DEPTH) throw this.fail('values nested too deeply')
      const close = byte === OBJECT ? OBJECT_END : LIST_END
      if (!this.begin(byte, close)) return
      do {
        if (byte === OBJECT) this.name()
        this.skip(depth + 1)
      } while (this.next(close))
    }
  }

  /** Checks that only white space follows the value. */
  finish(): void {
    if (this.peek() !== END) throw this.fail('something behind its end')
  }
}
