// The set of fields to evaluate for the present span, returned in the policy's order. It has two
// levels of bits, so a span with ten attributes costs the same under a policy that names ten as
// under one that names a thousand.
export class FieldSet {
  readonly #always: Int32Array
  readonly #words: Int32Array
  readonly #alwaysSummary: Int32Array
  readonly #summary: Int32Array

  /** `always`: fields that are evaluated whatever the span has. */
  constructor(size: number, always: readonly number[]) {
    this.#words = new Int32Array((size >>> 5) + 1)
    this.#summary = new Int32Array((size >>> 10) + 1)
    for (const field of always) this.add(field)
    this.#always = this.#words.slice()
    this.#alwaysSummary = this.#summary.slice()
  }

  add(field: number): void {
    this.#words[field >>> 5]! |= 1 << (field & 31)
    this.#summary[field >>> 10]! |= 1 << ((field >>> 5) & 31)
  }

  /**
   * Writes the fields into `list`, ascending, and goes back to those that are always evaluated;
   * gives their number.
   */
  take(list: number[]): number {
    let count = 0
    for (let s = 0; s < this.#summary.length; s++) {
      let groups = this.#summary[s]!
      this.#summary[s] = this.#alwaysSummary[s]!
      for (; groups !== 0; groups &= groups - 1) {
        const word = (s << 5) + 31 - Math.clz32(groups & -groups)
        let bits = this.#words[word]!
        this.#words[word] = this.#always[word]!
        for (; bits !== 0; bits &= bits - 1)
          list[count++] = (word << 5) + 31 - Math.clz32(bits & -bits)
      }
    }
    return count
  }
}
