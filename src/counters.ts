// What happened, as numbers: every span that is not sent is counted here under a reason. Names are constants of
// the code or names from the policy, never anything from the input.

export class Counters {
  readonly #values = new Map<string, number>()

  add(name: string, count = 1): void {
    if (count !== 0) this.#values.set(name, (this.#values.get(name) ?? 0) + count)
  }

  get(name: string): number {
    return this.#values.get(name) ?? 0
  }

  /** All counters, by name, in the order of their names. */
  snapshot(): Record<string, number> {
    return Object.fromEntries([...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}
