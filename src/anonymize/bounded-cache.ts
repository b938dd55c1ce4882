// Caches the result for a text by its bytes, so that a name that occurs a thousand times is hashed
// once. It is bounded and kept only in memory.
import type { InputValue } from './attribute-slots.ts'

const MAX_ENTRIES = 4096
/**
 * Longer texts are never remembered, so that what is remembered stays below a megabyte per field.
 */
const MAX_KEY_BYTES = 128

export class BoundedCache<T> {
  readonly #made = new Map<string, T>()

  get(value: InputValue): T | undefined {
    return value.end - value.start > MAX_KEY_BYTES ? undefined : this.#made.get(latin1(value))
  }

  set(value: InputValue, made: T): void {
    if (value.end - value.start > MAX_KEY_BYTES) return
    // Evicting single entries would need an order. Clearing all cannot be steered by input.
    if (this.#made.size >= MAX_ENTRIES) this.#made.clear()
    this.#made.set(latin1(value), made)
  }

  clear(): void {
    this.#made.clear()
  }
}

/** One character per byte: a cheap key that keeps different bytes apart. */
function latin1(value: InputValue): string {
  return value.bytes.toString('latin1', value.start, value.end)
}
