// Limits how many connections a server has. At the limit, a new connection replaces the one that
// has been idle longest. So clients that send nothing, or send slowly, cannot keep others out.

export interface Closable {
  destroy(): unknown
}

/** A connection is idle while no complete request of it is being answered. */
export class ConnectionLimiter<C extends Closable> {
  readonly #limit: number
  /** The complete requests of each connection that are being answered. */
  readonly #answering = new Map<C, number>()
  /** The idle connections; the longest idle comes first. */
  readonly #idle = new Set<C>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#answering.size
  }

  /** False: all connections are being answered, and the new one is closed. */
  add(connection: C): boolean {
    // promise: connections-bounded
    if (this.#answering.size >= this.#limit && !this.evictOldest()) {
      connection.destroy()
      return false
    }
    this.#answering.set(connection, 0)
    this.#idle.add(connection)
    return true
  }

  remove(connection: C): void {
    this.#answering.delete(connection)
    this.#idle.delete(connection)
  }

  /** A request has begun: the idle time of its connection starts again. */
  touch(connection: C): void {
    if (!this.#idle.delete(connection)) return
    this.#idle.add(connection)
  }

  /** A request is complete: its connection stays until `endAnswer`. */
  beginAnswer(connection: C): void {
    const count = this.#answering.get(connection)
    if (count === undefined) return
    this.#answering.set(connection, count + 1)
    this.#idle.delete(connection)
  }

  endAnswer(connection: C): void {
    const count = this.#answering.get(connection)
    if (count === undefined || count === 0) return
    this.#answering.set(connection, count - 1)
    if (count === 1) this.#idle.add(connection)
  }

  /** Closes the longest idle connection but `except`. False: no other connection is idle. */
  evictOldest(except?: C): boolean {
    for (const connection of this.#idle) {
      if (connection === except) continue
      this.remove(connection)
      connection.destroy()
      return true
    }
    return false
  }
}
