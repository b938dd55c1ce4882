// A small generator of numbers for tests: the same seed gives the same test.

/** mulberry32: the whole request comes from one seed. */
export class Rng {
  #state: number
  constructor(seed: number) {
    this.#state = seed | 0
  }
  /** A whole number below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * limit)
  }
  chance(percent: number): boolean {
    return this.below(1000) < percent * 10
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
  bytes(length: number): number[] {
    return Array.from({ length }, () => this.below(256))
  }
}
