// What was made of a text, remembered by its bytes, so that a name that comes a thousand times is
// hashed once. Bounded, and kept in memory only.
import type { Value } from './attribute-slots.ts'

const MAX_REMEMBERED = 4096
/**
 * Longer texts are never remembered, so that what is remembered stays below a megabyte per field.
 */
const MAX_REMEMBERED_BYTES = 128

export class Memo<T> {
  readonly #made = new Map<string, T>()

  get(value: Value): T | undefined {
    return value.end - value.start > MAX_REMEMBERED_BYTES
      ? undefined
      : this.#made.get(latin1(value))
  }

  set(value: Value, made: T): void {
    if (value.end - value.start > MAX_REMEMBERED_BYTES) return
    // Half a bound at a time would need an order; forgetting all is as good and cannot be steered.
    if (this.#made.size >= MAX_REMEMBERED) this.#made.clear()
    this.#made.set(latin1(value), made)
  }

  clear(): void {
    this.#made.clear()
  }
}

/** One character per byte: a cheap key that keeps different bytes apart. */
function latin1(value: Value): string {
  return value.bytes.toString('latin1', value.start, value.end)
}
