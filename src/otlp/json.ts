// OTLP/JSON to the protobuf of the same request (https://opentelemetry.io/docs/specs/otlp, JSON
// Protobuf Encoding): one pass over the bytes, no objects, output in one bounded buffer. It decides
// as little as it can: what is malformed below the frame, or occurs twice, is so in the protobuf
// too, and the reader of that decides (test/fixtures/malformed.md). JSON.parse would keep the last
// of two equal members and say nothing.
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

/** Bytes of a length below this many arrays and maps; further down no level moves what it holds. */
const MOVING_DEPTH = 2
const NOTHING = new Uint8Array(1)

/**
 * Throws a 400 where `body` is no OTLP/JSON trace request, a 413 where its protobuf is longer than
 * `maxBytes`.
 */
export function jsonToProtobuf(body: Uint8Array, maxBytes = Number.POSITIVE_INFINITY): Uint8Array {
  const out = new Output((body.length >>> 1) + 64, maxBytes)
  try {
    new Walk(new JsonReader(body), out).request()
    return out.take()
  } catch (error) {
    release(out.bytes)
    throw error
  }
}

class Walk {
  readonly #reader: JsonReader
  readonly #out: Output
  readonly #whole = new Whole()
  readonly #double = new DataView(new ArrayBuffer(8))
  /** Names, ids and numbers that are written with escapes, without them. */
  readonly #scratch = new Output(MAX_SHORT_TEXT, MAX_SHORT_TEXT)
  /** The last name, id or number. */
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

  /** The members of one message, from its opening brace to its closing one. */
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
      if (again && member.kind === 'list' && message.frame)
        throw badRequest('OTLP JSON with the same list twice', at)
      this.#member(message, member, again, depth)
    } while (reader.next(OBJECT_END))
  }

  #member(message: Message, member: Member, again: boolean, depth: number): void {
    const reader = this.#reader
    const out = this.#out
    // Twice in JSON must be twice in protobuf, even where null or the name of an enum is no field
    // at all. A list may be in pieces there, so one that occurs twice below the frame becomes what
    // no reader takes.
    if (again && member.kind === 'list') this.#wrong(member)
    else if (again) this.#zero(member)
    const before = out.pos
    const first = reader.peek()
    const at = reader.pos
    if (first === NULL) reader.literal()
    else if (!this.#value(message, member, first, depth)) {
      if (message.frame) throw badRequest('OTLP JSON with a value of a wrong kind', at)
      out.pos = before
      this.#wrong(member)
    }
    if (again && member.kind !== 'list' && out.pos === before) this.#zero(member)
  }

  /** The field with the empty text, the empty message or 0. */
  #zero(member: Member): void {
    this.#out.varint(member.tag)
    if (member.kind === 'fixed32') this.#out.fixed32(0)
    else if (member.kind === 'fixed64' || member.kind === 'double') this.#fixed64(0, 0)
    else this.#out.byte(0)
  }

  /** The field as no reader of protobuf takes it. */
  #wrong(member: Member): void {
    this.#out.varint(member.wrongTag)
    this.#out.byte(0)
  }

  /**
   * False: the value, which has been stepped over, is no list. Items of a wrong kind are dealt with
   * one by one.
   */
  #list(message: Message, member: Member, first: number, depth: number): boolean {
    const reader = this.#reader
    if (first !== LIST) return this.#stepOver()
    if (!reader.begin(LIST, LIST_END)) return true
    do {
      const item = reader.peek()
      if (item === OBJECT) this.#message(member, depth)
      else if (message.frame) {
        const at = reader.pos
        reader.skip()
        throw badRequest('OTLP JSON with a value of a wrong kind', at)
      } else {
        reader.skip()
        // Senders write a value that is nothing, in a list of values, as null.
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
   * Reads one value and writes its field. False: it is of a wrong kind or not sound; it has been
   * stepped over.
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
        // A name is not a number, whatever it names: "the values of enum fields MUST be encoded as
        // integer values".
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
      case 'bytes': {
        if (first !== QUOTE) return this.#stepOver()
        reader.string()
        const at = out.open(member.tag, 1)
        if (!writeBase64(out, reader.bytes, reader.start, reader.stop)) return false
        out.close(at, 1)
        return true
      }
      case 'message':
        if (first !== OBJECT) return this.#stepOver()
        this.#message(member, depth)
        return true
      case 'list':
        return this.#list(message, member, first, depth)
    }
  }

  /**
   * The last string of the reader without its escapes. One that is too long for what it is looked
   * at for stays as it is.
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
   * "Hex-encoded, case-insensitive"; what is not, or has a wrong length, becomes an id of one byte,
   * which no id has.
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

  /** A number, or a text that is one: a number of digits without fraction and exponent. */
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
