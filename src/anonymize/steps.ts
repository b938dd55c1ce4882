// The steps between source and action, in the order of the policy language: before, after, fold,
// shape. `split` comes first and copies the span, so the writer does it. A fold alone before a keep
// is done in the keep's table. A step that fails gives the `else` of a keep, otherwise no value,
// and is counted by its name.

import type { Field, Shape } from '../policy/policy.ts'
import { InputValue, MALFORMED, STRING } from './attribute-slots.ts'
import { BoundedCache } from './bounded-cache.ts'
import { decodeText, folded } from './text.ts'

export type TextStep = 'before' | 'after' | 'fold' | 'shape'

/** The longest of them is a version, and semver libraries take no longer one. */
const MAX_SHAPED_LENGTH = 256
const SHAPE_FORMS: Record<Shape, RegExp> = {
  // github.com/ulid/spec: Crockford's base 32, upper case, 128 bits.
  ulid: /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/,
  // RFC 9562, of any version; upper case is to be taken in.
  uuid: /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/,
  'ec2-instance': /^i-[0-9a-f]{17}$/,
  // semver.org, its own expression.
  semver:
    /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/,
  // RFC 1123 as Kubernetes has it: lower case.
  'dns-label': /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
}

export class Steps {
  /** What the last `run` that did not fail gave. */
  readonly result = new InputValue()
  readonly #field: Field
  /** The first step there is: what fails for a value that is no text. */
  readonly #first: TextStep
  /** The text after the steps, or the step that failed. */
  readonly #done = new BoundedCache<Buffer | TextStep>()

  private constructor(field: Field, first: TextStep) {
    this.#field = field
    this.#first = first
  }

  /** `undefined` where the field has none of them. */
  static of(field: Field): Steps | undefined {
    const first = (['before', 'after', 'fold', 'shape'] as const).find(
      (step) => field[step] !== undefined,
    )
    return first === undefined ? undefined : new Steps(field, first)
  }

  /** The step that failed; `undefined`: `result` holds the value. */
  run(value: InputValue): TextStep | undefined {
    const { result } = this
    if (value.kind === MALFORMED) {
      result.kind = MALFORMED
      return undefined
    }
    if (value.kind !== STRING) return this.#first
    let done = this.#done.get(value)
    if (done === undefined) {
      const text = decodeText(value)
      if (text === undefined) {
        result.kind = MALFORMED
        return undefined
      }
      done = this.#through(text)
      this.#done.set(value, done)
    }
    if (typeof done === 'string') return done
    result.set(STRING, done, 0, done.length, 0)
    return undefined
  }

  #through(text: string): Buffer | TextStep {
    const { before, after, fold, shape } = this.#field
    if (before !== undefined) {
      const at = text.indexOf(before)
      if (at < 0 || text.indexOf(before, at + before.length) >= 0) return 'before'
      text = text.slice(0, at)
    }
    if (after !== undefined) {
      const at = text.lastIndexOf(after)
      if (at < 0) return 'after'
      text = text.slice(at + after.length)
    }
    text = folded(text, fold)
    // promise: shape-named
    if (
      shape !== undefined &&
      (text.length > MAX_SHAPED_LENGTH || !shape.some((form) => SHAPE_FORMS[form].test(text)))
    )
      return 'shape'
    return Buffer.from(text, 'utf8')
  }
}
