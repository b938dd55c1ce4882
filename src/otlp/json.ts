// Converts an OTLP/JSON request to the same request in protobuf
// (https://opentelemetry.io/docs/specs/otlp, JSON Protobuf Encoding). It makes one pass over the
// bytes, without objects, into one bounded buffer. It decides as little as it can. A malformed or
// repeated member below the envelope stays so in the protobuf, and the protobuf reader decides
// (test/fixtures/malformed.md). JSON.parse would silently keep the last of two equal members.
import { badRequest } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { Output } from './json-output.ts'
import {
  beginsNumber,
  FALSE,
  JsonReader,
  LIST,
  LIST_END,
  MAX_DEPTH,
  NULL,
  OBJECT,
  OBJECT_END,
  QUOTE,
  TRUE,
} from './json-reader.ts'
import { type Member, type Message, memberNamed, REQUEST } from './json-schema.ts'
import { MAX_SHORT_TEXT, parseDouble, Whole, writeBase64, writeHex } from './json-values.ts'

/**
 * Above this depth of arrays and maps, `close` may move contents. Deeper levels reserve the longest
 * length, so that nothing is moved at every level.
 */
const MOVING_DEPTH = 2
const NOTHING = new Uint8Array(1)

/**
 * Throws a 400 if `body` is not an OTLP/JSON trace request, and a 413 if its protobuf exceeds
 * `maxBytes`.
 */
export function jsonToProtobuf(body: Uint8Array, maxBytes = Number.POSITIVE_INFINITY): Uint8Array {
  const out = new Output((body.length >>> 1) + 64, maxBytes)
  try {
    new JsonConverter(new JsonReader(body), out).request()
    return out.take()
  } catch (error) {
    release(out.bytes)
    throw error
  }
}

class JsonConverter {
  readonly #reader: JsonReader
  readonly #out: Output
  readonly #whole = new Whole()
  readonly #double = new DataView(new ArrayBuffer(8))
  /** Holds names, ids and numbers after their escapes are resolved. */
  readonly #scratch = new Output(MAX_SHORT_TEXT, MAX_SHORT_TEXT)
  /** The last name, id or number, between #start and #stop. */
  #text: Uint8Array = NOTHING
  #start = 0
  #stop = 0

  constructor(reader: JsonReader, out: Output) {
    this.#reader = reader
    this.#out = out
  }

  request(): void {
    this.#members(REQUEST, 0)
    this.#reader.finish()
  }

  /** Reads the members of one message, from its opening to its closing brace. */
  #members(message: Message, depth: number): void {
    const reader = this.#reader
    if (!reader.begin(OBJECT, OBJECT_END)) return
    let seen = 0
    do {
      const at = reader.pos
      reader.name()
      this.#takeText()
      const member = memberNamed(message, this.#text, this.#start, this.#stop)
      if (member === undefined) {
        reader.skip()
        continue
      }
      const again = (seen & member.bit) !== 0
      seen |= member.bit
      if (again && member.kind === 'list' && message.isEnvelope)
        throw badRequest('OTLP JSON with the same list twice', at)
      this.#member(message, member, again, depth)
    } while (reader.next(OBJECT_END))
  }

  #member(message: Message, member: Member, again: boolean, depth: number): void {
    const reader = this.#reader
    const out = this.#out
    // A member that occurs twice in JSON must occur twice in protobuf, even if it is null or the
    // name of an enum. In protobuf a list may come in pieces. So a list that occurs twice below the
    // envelope becomes a field that every reader refuses.
    if (again && member.kind === 'list') this.#wrong(member)
    else if (again) this.#zero(member)
    const before = out.pos
    const first = reader.peek()
    const at = reader.pos
    if (first === NULL) reader.literal()
    else if (!this.#value(message, member, first, depth)) {
      if (message.isEnvelope) throw badRequest('OTLP JSON with a value of a wrong kind', at)
      out.pos = before
      this.#wrong(member)
    }
    if (again && member.kind !== 'list' && out.pos === before) this.#zero(member)
  }

  /** Writes the field with an empty string, an empty message or 0. */
  #zero(member: Member): void {
    this.#out.varint(member.tag)
    if (member.kind === 'fixed32') this.#out.fixed32(0)
    else if (member.kind === 'fixed64' || member.kind === 'double') this.#fixed64(0, 0)
    else this.#out.byte(0)
  }

  /** Writes the field with a wire type that every protobuf reader refuses. */
  #wrong(member: Member): void {
    this.#out.varint(member.wrongTag)
    this.#out.byte(0)
  }

  /**
   * Returns false for a value that is not a list, and skips it. Items of a wrong kind are handled
   * one by one.
   */
  #list(message: Message, member: Member, first: number, depth: number): boolean {
    const reader = this.#reader
    if (first !== LIST) return this.#stepOver()
    if (!reader.begin(LIST, LIST_END)) return true
    do {
      const item = reader.peek()
      if (item === OBJECT) this.#message(member, depth)
      else if (message.isEnvelope) {
        const at = reader.pos
        reader.skip()
        throw badRequest('OTLP JSON with a value of a wrong kind', at)
      } else {
        reader.skip()
        // Senders write an empty value inside a list as null.
        if (item === NULL) this.#zero(member)
        else this.#wrong(member)
      }
    } while (reader.next(LIST_END))
    return true
  }

  #message(member: Member, depth: number): void {
    const message = member.message!
    const inner = message.nests ? depth + 1 : depth
    if (inner > MAX_DEPTH) throw this.#reader.fail('values nested too deeply')
    const reserve = inner < MOVING_DEPTH ? message.reserve : 5
    const at = this.#out.open(member.tag, reserve)
    this.#members(message, inner)
    this.#out.close(at, reserve)
  }

  #stepOver(): false {
    this.#reader.skip()
    return false
  }

  /**
   * Reads one value and writes its field. Returns false for a wrong or invalid value, and skips it.
   */
  #value(message: Message, member: Member, first: number, depth: number): boolean {
    const reader = this.#reader
    const out = this.#out
    switch (member.kind) {
      case 'text':
        if (first !== QUOTE) return this.#stepOver()
        reader.string()
        out.text(member.tag, reader.bytes, reader.start, reader.stop, reader.escaped)
        return true
      case 'traceId':
      case 'spanId':
        if (first !== QUOTE) return this.#stepOver()
        reader.string()
        this.#takeText()
        this.#id(member, member.kind === 'traceId' ? 16 : 8)
        return true
      case 'enum':
        // "The values of enum fields MUST be encoded as integer values", so a name is ignored.
        if (first === QUOTE) {
          reader.string()
          return true
        }
        return this.#number(first) && this.#signed(member, 32)
      case 'int32':
        return this.#number(first) && this.#signed(member, 32)
      case 'int64':
        return this.#number(first) && this.#signed(member, 64)
      case 'uint32':
        if (!this.#number(first) || !this.#whole.isUnsigned(32)) return false
        out.varint(member.tag)
        out.varint(this.#whole.low)
        return true
      case 'fixed32':
        if (!this.#number(first) || !this.#whole.isUnsigned(32)) return false
        out.varint(member.tag)
        out.fixed32(this.#whole.low)
        return true
      case 'fixed64':
        if (!this.#number(first) || !this.#whole.isUnsigned(64)) return false
        out.varint(member.tag)
        this.#fixed64(this.#whole.low, this.#whole.high)
        return true
      case 'double':
        return this.#doubleValue(member, first)
      case 'bool':
        if (first !== TRUE && first !== FALSE) return this.#stepOver()
        reader.literal()
        out.varint(member.tag)
        out.byte(first === TRUE ? 1 : 0)
        return true
      case 'bytes':
        return this.#bytes(member, first)
      case 'message':
        if (first !== OBJECT) return this.#stepOver()
        this.#message(member, depth)
        return true
      case 'list':
        return this.#list(message, member, first, depth)
    }
  }

  #bytes(member: Member, first: number): boolean {
    if (first !== QUOTE) return this.#stepOver()
    const reader = this.#reader
    reader.string()
    const at = this.#out.open(member.tag, 1)
    if (!writeBase64(this.#out, reader.bytes, reader.start, reader.stop)) return false
    this.#out.close(at, 1)
    return true
  }

  /**
   * Takes the reader's last string and resolves its escapes. A string that is too long for a name,
   * id or number stays as it is.
   */
  #takeText(): void {
    const { bytes, start, stop, escaped } = this.#reader
    if (!escaped || stop - start > MAX_SHORT_TEXT) {
      this.#text = bytes
      this.#start = start
      this.#stop = stop
      return
    }
    const scratch = this.#scratch
    scratch.pos = 0
    scratch.unescape(bytes, start, stop)
    this.#text = scratch.bytes
    this.#start = 0
    this.#stop = scratch.pos
  }

  /**
   * "Hex-encoded, case-insensitive". Anything else becomes an id of one byte, which no valid id
   * has.
   */
  #id(member: Member, size: number): void {
    const out = this.#out
    const length = this.#stop - this.#start
    out.varint(member.tag)
    const before = out.pos
    if (length === 0) out.byte(0)
    else {
      out.byte(size)
      if (length === size * 2 && writeHex(out, this.#text, this.#start, this.#stop)) return
      out.pos = before
      out.byte(1)
      out.byte(0)
    }
  }

  /** Reads a number, or a string of digits without fraction and exponent. */
  #number(first: number): boolean {
    const reader = this.#reader
    if (first === QUOTE) reader.string()
    else if (!beginsNumber(first)) return this.#stepOver()
    else reader.number()
    this.#takeText()
    return this.#whole.read(this.#text, this.#start, this.#stop)
  }

  #signed(member: Member, bits: 32 | 64): boolean {
    if (!this.#whole.toSigned(bits)) return false
    this.#out.varint(member.tag)
    this.#out.varint64(this.#whole.low, this.#whole.high)
    return true
  }

  #doubleValue(member: Member, first: number): boolean {
    if (first !== QUOTE && !beginsNumber(first)) return this.#stepOver()
    if (first === QUOTE) this.#reader.string()
    else this.#reader.number()
    this.#takeText()
    const number = parseDouble(this.#text, this.#start, this.#stop)
    if (number === undefined) return false
    this.#double.setFloat64(0, number, true)
    this.#out.varint(member.tag)
    this.#fixed64(this.#double.getUint32(0, true), this.#double.getUint32(4, true))
    return true
  }

  #fixed64(low: number, high: number): void {
    this.#out.fixed32(low)
    this.#out.fixed32(high)
  }
}
