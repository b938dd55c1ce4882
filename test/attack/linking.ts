// Whether a collector, or several that talk to each other, can join what must stay apart: the same
// installation in two projects, two attributes of the same name, two days, the heartbeat and the
// records beside it, two installations.
import { createHash } from 'node:crypto'
import { pseudonym, pseudonymKey } from '../../src/anonymize/actions/pseudonym.ts'
import { HARDENED, INSTANCE, type Left, NOW, startPipeline } from '../support/shipped-policy.ts'
import { eventsOf } from './events.ts'

const DAY_MS = 86_400_000
const DAYS = 62
const secretOf = (installation: number): Buffer =>
  createHash('sha256').update(`installation ${installation}`).digest()

/**
 * Pseudonyms and ids, each with where it was seen; the month's pseudonym of an installation may
 * come back in its month.
 */
function* seen(
  policy: string,
  where: string,
  { resource, spans }: Left,
): IterableIterator<[value: string, place: string]> {
  const isHex = (value: unknown): value is string =>
    typeof value === 'string' && /^[0-9a-f]{16,}$/.test(value)
  for (const [key, value] of Object.entries(resource))
    if (isHex(value) && !key.startsWith('usage.')) yield [value, `${policy} ${where} ${key}`]
  for (const { attributes, traceId, spanId, parentSpanId } of spans) {
    for (const [key, value] of Object.entries(attributes))
      if (isHex(value)) yield [value, `${policy} ${where} ${key}`]
    for (const id of [traceId, spanId, parentSpanId])
      if (id !== '') yield [id, `${policy} ${where} id`]
  }
}

/** Number of values and of those that were seen in two places that must not be joined. */
export function linkAttack(): { values: number; linked: string[] } {
  const places = new Map<string, string>()
  const linked: string[] = []
  const note = (value: string, place: string): void => {
    const before = places.get(value)
    if (before !== undefined && before !== place) linked.push(`${before} = ${place}`)
    places.set(value, place)
  }
  for (const policy of HARDENED) {
    for (const installation of [0, 1]) {
      const one = startPipeline(policy, { secret: secretOf(installation), instance: INSTANCE })
      for (let day = 0; day < DAYS; day++) {
        const nowMs = NOW + day * DAY_MS
        // The same names, the same incoming ids, every day.
        const date = new Date(nowMs).toISOString().slice(0, 10)
        for (const [value, place] of seen(
          policy,
          `${installation} ${date}`,
          one.sendAt(nowMs, ...eventsOf(1)),
        ))
          note(value, place)
      }
      const now = NOW
      const fresh = startPipeline(policy, { secret: secretOf(installation), instance: INSTANCE })
      for (const [value, place] of seen(
        policy,
        `${installation} ${new Date(now).toISOString().slice(0, 7)} heartbeat`,
        fresh.heartbeat(),
      ))
        note(value, place)
    }
  }
  // The recipe itself, over projects, fields and periods that are as like each other as can be.
  const parts = ['a', 'b', 'ab', 'a/b', 'a.b', '2026-10', '2026-10-05', '']
  for (const project of parts)
    for (const field of parts)
      for (const period of parts)
        note(
          pseudonym(pseudonymKey(secretOf(2), project, field, period), 'payments'),
          `${JSON.stringify([project, field, period])}`,
        )
  return { values: places.size, linked }
}
