// Who may stay connected. A door bears only so many connections; when one more comes, that one goes
// which has waited longest without anything to answer. Whoever holds connections and sends nothing,
// or sends it slowly, so keeps nobody out.

export interface Guest {
  destroy(): unknown
}

export class Crowd<G extends Guest> {
  readonly #max: number
  /** How many whole requests of each are being answered. */
  readonly #busy = new Map<G, number>()
  /** Those without one; longest first. */
  readonly #waiting = new Set<G>()

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#busy.size
  }

  /** False: there is no room, and the newcomer has been sent away. */
  enter(guest: G): boolean {
    // promise: connections-bounded
    if (this.#busy.size >= this.#max && !this.dismiss()) {
      guest.destroy()
      return false
    }
    this.#busy.set(guest, 0)
    this.#waiting.add(guest)
    return true
  }

  leave(guest: G): void {
    this.#busy.delete(guest)
    this.#waiting.delete(guest)
  }

  /** It has begun something, and waits from now on. */
  stir(guest: G): void {
    if (!this.#waiting.delete(guest)) return
    this.#waiting.add(guest)
  }

  /** A whole request of it is there: it stays until that is answered. */
  busy(guest: G): void {
    const count = this.#busy.get(guest)
    if (count === undefined) return
    this.#busy.set(guest, count + 1)
    this.#waiting.delete(guest)
  }

  answered(guest: G): void {
    const count = this.#busy.get(guest)
    if (count === undefined || count === 0) return
    this.#busy.set(guest, count - 1)
    if (count === 1) this.#waiting.add(guest)
  }

  /**
   * Sends away the one that has waited longest, `except` aside; false where all others are being
   * answered.
   */
  dismiss(except?: G): boolean {
    for (const guest of this.#waiting) {
      if (guest === except) continue
      this.leave(guest)
      guest.destroy()
      return true
    }
    return false
  }
}
