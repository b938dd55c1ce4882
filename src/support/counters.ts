// What happened, as numbers: every span or value that is not sent is counted here under a reason.
// Names are constants of the code or names from the policy, never anything from the input.

/** One counter, for code that counts often and must not look its name up each time. */
export interface Cell {
  count: number
}

export class Counters {
  readonly #cells = new Map<string, Cell>()

  cell(name: string): Cell {
    let cell = this.#cells.get(name)
    if (cell === undefined) {
      cell = { count: 0 }
      this.#cells.set(name, cell)
    }
    return cell
  }

  add(name: string, count = 1): void {
    this.cell(name).count += count
  }

  get(name: string): number {
    return this.#cells.get(name)?.count ?? 0
  }

  /** All counters that are not zero, in the order of their names. */
  snapshot(): Record<string, number> {
    const counted = [...this.#cells].filter(([, { count }]) => count !== 0)
    return Object.fromEntries(
      counted
        .map(([name, { count }]): [string, number] => [name, count])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    )
  }
}
