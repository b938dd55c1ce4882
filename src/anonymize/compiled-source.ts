// Compiled sources: each is an InputValue that holds the value for the present span. Facts and
// literals never change while the compiled policy lives. Attributes are slots. A list is joined
// again for every span.
import type { Scalar, Source } from '../policy/policy.ts'
import {
  ABSENT,
  BOOL,
  DOUBLE,
  INT,
  InputValue,
  MALFORMED,
  OTHER,
  STRING,
} from './attribute-slots.ts'
import { isValidText } from './text.ts'

/** Facts by name; what is not there could not be read. */
export type Facts = ReadonlyMap<string, Scalar>

/** The value of facts and literals; anything else has none here. */
export function fixedValue(source: Source, facts: Facts): InputValue {
  if (source.kind === 'list') {
    const joined = new JoinedValue(source.places.map((place) => fixedValue(place, facts)))
    joined.fill()
    return joined.value
  }
  const value = new InputValue()
  const scalar =
    source.kind === 'text'
      ? source.text
      : source.kind === 'fact'
        ? facts.get(source.name)
        : undefined
  if (typeof scalar === 'string') {
    const bytes = Buffer.from(scalar, 'utf8')
    value.set(STRING, bytes, 0, bytes.length, 0)
  } else if (typeof scalar === 'boolean') value.set(BOOL, value.bytes, 0, 0, scalar ? 1 : 0)
  else if (typeof scalar === 'number')
    value.set(Number.isSafeInteger(scalar) ? INT : DOUBLE, value.bytes, 0, 0, scalar)
  return value
}

/** Whether the source can only have a value where the span has one of its attributes. */
export const needsAttribute = (source: Source): boolean =>
  source.kind === 'attribute' ||
  (source.kind === 'list' && source.places.some(({ kind }) => kind === 'attribute'))

/**
 * The texts of several places with nothing between. One that is missing makes the whole missing,
 * one that is malformed makes it malformed, and one of another kind makes it a value of another
 * kind.
 */
export class JoinedValue {
  readonly value = new InputValue()
  readonly #parts: readonly InputValue[]
  #bytes: Buffer = Buffer.alloc(64)

  constructor(parts: readonly InputValue[]) {
    this.#parts = parts
  }

  /** Joins what the parts hold now. */
  fill(): void {
    const kind = this.#kind()
    this.value.kind = kind
    if (kind !== STRING) return
    let length = 0
    for (const part of this.#parts) length += part.end - part.start
    if (length > this.#bytes.length) this.#bytes = Buffer.allocUnsafeSlow(2 * length)
    let at = 0
    for (const { bytes, start, end } of this.#parts)
      for (let i = start; i < end; i++) this.#bytes[at++] = bytes[i]!
    this.value.set(STRING, this.#bytes, 0, length, 0)
  }

  /**
   * Each part is looked at by itself: the end of one and the beginning of the next could make one
   * letter.
   */
  #kind(): typeof STRING | typeof OTHER | typeof ABSENT | typeof MALFORMED {
    let missing = false
    let other = false
    for (const part of this.#parts) {
      if (part.kind === MALFORMED || (part.kind === STRING && !isValidText(part))) return MALFORMED
      if (part.kind === ABSENT) missing = true
      else if (part.kind !== STRING) other = true
    }
    return missing ? ABSENT : other ? OTHER : STRING
  }
}
