// Runs one operation at a time, in the order of the calls. Everything that touches the data
// directory goes through it, so no operation ever sees another one half done.
import { systemError } from '../support/errors.ts'

export class SerialExecutor {
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  get closed(): boolean {
    return this.#closed
  }

  /** Rejects with the code ECANCELED after `close`. A failed operation does not stop the next. */
  run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(systemError('ECANCELED', 'The queue is closed.'))
    const result = this.#last.then(operation)
    this.#last = result.catch(() => undefined)
    return result
  }

  /** Accepts no more operations. Those that it has accepted still run. */
  close(): void {
    this.#closed = true
  }
}
