// The path of one request: anonymize, enrich, append. The answer follows when the record is on
// disk. Raw spans exist only here and only until the first await.
import type { ExportResult } from '../otlp/answer.ts'
import type { Counters } from '../support/counters.ts'
import type { Log } from '../support/log.ts'
import type { Reporting } from './reporting.ts'

const REJECTED_MESSAGE =
  'Some spans were left out because they are not valid OTLP. A trace id has 16 bytes and a span id 8, neither is all zero, and no field of a span occurs twice.'

export class RequestHandler {
  readonly #reporting: Reporting
  readonly #counters: Counters
  readonly #log: Log
  #isRefusing = false

  constructor(reporting: Reporting, counters: Counters, log: Log) {
    this.#reporting = reporting
    this.#counters = counters
    this.#log = log
  }

  /** Whether the queue refused the last record. */
  isRefusing(): boolean {
    return this.#isRefusing
  }

  /** `began` is when the request began (performance.now()). */
  async handle(body: Uint8Array, began: number): Promise<ExportResult> {
    const target = this.#reporting.recordingSince(began)
    if (target === undefined) {
      this.#counters.add('requests.discarded')
      this.#log.debug?.('request discarded', { bytes: body.length })
      return { rejected: 0, message: '' }
    }
    const { runtime, queue } = target
    const passed = runtime.anonymizer.pass(body, Date.now())
    const { spans, rejected } = passed
    this.#log.debug?.('request anonymized', { bytes: body.length, spans, rejected })
    try {
      if (spans > 0) {
        const appended = queue.append(runtime.enricher.wrapResourceSpans(passed), spans)
        runtime.enricher.done()
        // promise: ack-after-append
        await appended
        this.#isRefusing = false
      }
      this.#counters.add('spans.kept', spans)
    } catch (error) {
      // If the mode has changed meanwhile, the application should not send the spans again.
      this.#isRefusing = this.#reporting.modes.queueFor(began) === queue
      // promise: off-answers-200
      if (this.#isRefusing) throw error
    }
    return { rejected, message: rejected > 0 ? REJECTED_MESSAGE : '' }
  }
}
