// Kills the real process with SIGKILL at random moments, while clients post numbered spans and
// retry, and a collector accepts, answers 503, or accepts and does not answer. No acknowledged span
// is lost. A collector that counts by batch id and span id counts none twice that a client sent
// once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import {
  type Collected,
  spansIn,
  spansWaiting,
  startCollector,
  type Verdict,
} from '../support/collector.ts'
import { countOf } from '../support/counts.ts'
import { placeOf, post, spawnChild, startChild, until } from '../support/sidecar.ts'
import { attribute, int, policyText, request, span } from '../support/spans.ts'

const KILLS = countOf('kills')
const CLIENTS = 4
/** A number is two attributes, as a policy lists at most a thousand values. */
const BASE = 1000
const DIGITS = Array.from({ length: BASE }, (_, digit) => digit).join(', ')
const POLICY = policyText(
  `job:\n  attributes:\n    high: {keep: [${DIGITS}], reason: A test.}\n    low: {keep: [${DIGITS}], reason: A test.}`,
)

const numbered = (number: number): Buffer => {
  const [high, low] = [Math.floor(number / BASE), number % BASE]
  return request(
    span({ name: 'job', more: [attribute('high', int(high)), attribute('low', int(low))] }),
  )
}

/** The distinct records of each number, as a collector counts them. */
function recordsIn(bodies: readonly Collected[]): Map<number, Set<string>> {
  const records = new Map<number, Set<string>>()
  for (const { body } of bodies) {
    for (const { batchId, attributes, span: one } of spansIn(body)) {
      const number = Number(attributes.high) * BASE + Number(attributes.low)
      records.set(number, (records.get(number) ?? new Set()).add(`${batchId} ${one.spanId}`))
    }
  }
  return records
}

test('kills lose no acknowledged span and count none twice', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  let state = seed
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  const verdicts: Verdict[] = ['close']
  const collector = await startCollector(
    t,
    () => verdicts.pop() ?? (random() < 0.6 ? 200 : random() < 0.5 ? 503 : 'close'),
  )
  const place = await placeOf(t, {
    USAGE_ENDPOINT: collector.endpoint,
    USAGE_POLICY: '',
    USAGE_POLICY_TEXT: POLICY,
  })

  let port = 0
  let posted = 0
  let posting = true
  const acknowledged = new Set<number>()
  /** How often the client sent each number again without knowing the result. */
  const unanswered = new Map<number, number>()
  const client = async (): Promise<void> => {
    while (posting) {
      const number = posted++
      while (!acknowledged.has(number)) {
        await until('a sidecar listens', () => port !== 0)
        const status = await post(port, numbered(number)).then(
          (answer) => answer.status,
          () => 0,
        )
        if (status === 200) acknowledged.add(number)
        else if (status === 0) unanswered.set(number, (unanswered.get(number) ?? 0) + 1)
      }
    }
  }
  const clients = Array.from({ length: CLIENTS }, client)

  for (let kill = 0; kill < KILLS; kill++) {
    if (kill % 4 === 3) {
      // On a slow machine this is before the process listens, in the middle of its recovery.
      const child = spawnChild(t, place)
      await wait(random() * 300)
      assert.equal(await child.end('SIGKILL'), 'SIGKILL')
      continue
    }
    const child = await startChild(t, place)
    port = child.port
    const enough = acknowledged.size + 1 + random() * 50
    await until('spans are acknowledged', () => acknowledged.size >= enough)
    await wait(random() * 200)
    port = 0
    assert.equal(await child.end('SIGKILL'), 'SIGKILL')
  }
  const last = await startChild(t, place)
  port = last.port
  posting = false
  await Promise.all(clients)
  collector.answer = () => 200
  await until(
    'all of it is delivered',
    async () => (await spansWaiting(place.dataFolder)).length === 0,
  )
  assert.equal(await last.end('SIGTERM'), 0)

  // What the sidecar may rely on, and what a collector may have counted without saying so.
  const delivered = recordsIn(collector.requests.filter(({ verdict }) => verdict === 200))
  const counted = recordsIn(
    collector.requests.filter(({ verdict }) => verdict === 200 || verdict === 'close'),
  )
  const lost = [...acknowledged].filter((number) => !delivered.has(number))
  const twice = [...counted].filter(([, records]) => records.size > 1)
  const unexplained = twice.filter(
    ([number, records]) => records.size > 1 + (unanswered.get(number) ?? 0),
  )
  const received = collector.requests
    .filter(({ verdict }) => verdict !== 503)
    .flatMap(({ body }) => spansIn(body)).length
  const different = [...counted.values()].reduce((sum, { size }) => sum + size, 0)
  t.diagnostic(
    `seed ${seed}: ${acknowledged.size} acknowledged, ${lost.length} lost, ${received - different} copies that de-duplication takes out`,
  )
  t.diagnostic(
    `${unanswered.size} sent again by a client that got no answer, ${twice.length} of these counted twice`,
  )
  assert.deepEqual(lost, [], `seed ${seed}: acknowledged and not delivered`)
  assert.deepEqual(unexplained, [], `seed ${seed}: counted twice`)
  assert.ok(acknowledged.size > KILLS && received > different, 'something was tested')
})
