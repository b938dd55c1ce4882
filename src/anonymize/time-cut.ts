// Rounds a time down to its UTC day, hour or minute, and keeps the bytes of
// Span.start_time_unix_nano and end_time_unix_nano, which are equal. It is exact over all 64 bits;
// a double would be off by up to a microsecond. `exact`, only for compat policies, takes start and
// end unchanged.
import { FIXED64, tag } from '../otlp/wire.ts'
import type { TimeUnit } from '../policy/policy.ts'
import { NO_ID, uint32 } from './span-offsets.ts'

const UNIT_NS: Record<Exclude<TimeUnit, 'exact'>, bigint> = {
  day: 86_400_000_000_000n,
  hour: 3_600_000_000_000n,
  minute: 60_000_000_000n,
}

export class TimeCut {
  /** `undefined`: exact. */
  readonly #unit: bigint | undefined
  /** Fields 7 and 8 of Span for the unit that was cut last. */
  readonly encoded: Uint8Array = new Uint8Array(18)
  readonly #view = new DataView(this.encoded.buffer)
  // The unit that was cut last, from (inclusive) and to (exclusive), as halves: nearly all spans
  // fall into it again.
  #fromHigh = 1
  #fromLow = 0
  #toHigh = 0
  #toLow = 0

  constructor(unit: TimeUnit) {
    this.#unit = unit === 'exact' ? undefined : UNIT_NS[unit]
    this.encoded[0] = tag(7, FIXED64)
    this.encoded[9] = tag(8, FIXED64)
  }

  /** The times are the fixed64 at `at` and `endAt`; NO_ID means 0, as an absent field does. */
  cut(bytes: Uint8Array, at: number, endAt: number): void {
    const unit = this.#unit
    if (unit === undefined) {
      for (let i = 0; i < 8; i++) {
        this.encoded[1 + i] = at === NO_ID ? 0 : bytes[at + i]!
        this.encoded[10 + i] = endAt === NO_ID ? 0 : bytes[endAt + i]!
      }
      return
    }
    const high = at === NO_ID ? 0 : uint32(bytes, at + 4)
    const low = at === NO_ID ? 0 : uint32(bytes, at)
    const before = high < this.#fromHigh || (high === this.#fromHigh && low < this.#fromLow)
    const after = high > this.#toHigh || (high === this.#toHigh && low >= this.#toLow)
    if (!before && !after) return
    const time = (BigInt(high) << 32n) | BigInt(low)
    // promise: times-cut
    const from = time - (time % unit)
    const to = from + unit
    this.#fromHigh = Number(from >> 32n)
    this.#fromLow = Number(from & 0xffffffffn)
    this.#toHigh = Number(to >> 32n)
    this.#toLow = Number(to & 0xffffffffn)
    this.#view.setBigUint64(1, from, true)
    // promise: end-equals-start
    this.#view.setBigUint64(10, from, true)
  }
}
