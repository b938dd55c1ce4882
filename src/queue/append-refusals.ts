// The reasons why an append is refused, as the answer that the application gets and as lines of the
// log. Each problem is logged when it begins and when it is over.
import { errorCode, type Refusal, retryLater } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { ThrottledWarning } from './throttled-warning.ts'

const FULL_RETRY_SECONDS = 60
const RETRY_SECONDS = 1

export class AppendRefusals {
  readonly #full: ThrottledWarning
  readonly #dropping: ThrottledWarning
  readonly #slow: ThrottledWarning
  readonly #failing: ThrottledWarning

  constructor(log: Log, now: () => number) {
    const warning = (began: string, ended: string): ThrottledWarning =>
      new ThrottledWarning(log, now, began, ended)
    this.#full = warning(
      'queue: full; requests are answered 503',
      'queue: accepting requests again',
    )
    this.#dropping = warning(
      'queue: full; the oldest spans are dropped',
      'queue: no longer dropping spans',
    )
    this.#slow = warning(
      'queue: disk too slow; requests are answered 503',
      'queue: disk fast enough again',
    )
    this.#failing = warning(
      'queue: write failed; requests are answered 503',
      'queue: writing again',
    )
  }

  queueFull(): Refusal {
    this.#full.raise()
    return retryLater(
      'The queue of the sidecar is full. Send the same request later.',
      FULL_RETRY_SECONDS,
    )
  }

  diskSlow(): Refusal {
    this.#slow.raise()
    return retryLater(
      'The disk of the sidecar is too slow. Send the same request later.',
      RETRY_SECONDS,
    )
  }

  /** `error`: what the disk said. */
  writeFailed(error: unknown): Refusal {
    const code = errorCode(error)
    if (code === 'ENOSPC') return this.queueFull()
    this.#failing.raise({ code })
    return this.notWritable()
  }

  notWritable(): Refusal {
    return retryLater(
      'The sidecar cannot write its queue. Send the same request later.',
      RETRY_SECONDS,
    )
  }

  /** No refusal: the oldest spans were dropped to make room. */
  oldestDropped(): void {
    this.#dropping.raise()
  }

  /** A group was written. `halfEmpty`: at most half of the queue is in use. */
  written(halfEmpty: boolean): void {
    for (const warning of [this.#full, this.#dropping, this.#slow, this.#failing])
      warning.settle(halfEmpty)
  }
}
