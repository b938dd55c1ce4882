// One budget of bytes over everything that is being read, inflated, turned and handled at the same moment. What does
// not fit is refused with 503, so the memory of the process is bounded whatever clients do and however many they are.

export class Budget {
  readonly max: number
  #used = 0

  constructor(maxBytes: number) {
    this.max = maxBytes
  }

  get used(): number {
    return this.#used
  }

  /** A share that starts empty; everything it took is given back by one `release`. */
  share(): Share {
    let taken = 0
    return {
      take: (bytes) => {
        if (this.#used + bytes > this.max) return false
        this.#used += bytes
        taken += bytes
        return true
      },
      release: () => {
        this.#used -= taken
        taken = 0
      },
    }
  }
}

export interface Share {
  /** False, and nothing taken, where the budget does not bear `bytes` more. */
  take(bytes: number): boolean
  release(): void
}
