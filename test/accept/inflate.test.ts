// Inflation stays within the limit and the budget, whatever size a stream declares. Small bodies
// take one call, large ones several chunks.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Budget } from '../../src/accept/budget.ts'
import { createInflate } from '../../src/accept/inflate.ts'

const KIB = 1024
const inflate = createInflate()
const filled = (bytes: number): Buffer => Buffer.alloc(bytes, 'otlp ')

test('takes the inflated size from the budget, and refuses what does not fit', async () => {
  for (const size of [50 * KIB, 500 * KIB]) {
    const budget = new Budget(size + KIB)
    const share = budget.share()
    assert.deepEqual(
      Buffer.from(await inflate(gzipSync(filled(size)), 1024 * KIB, share)),
      filled(size),
    )
    assert.ok(budget.used >= size, `${budget.used} of ${size}`)
    await assert.rejects(inflate(gzipSync(filled(size)), 1024 * KIB, budget.share()), {
      status: 503,
      retryAfterSeconds: 1,
    })
  }
})

test('inflates every member of a stream, whatever size the last one declares', async () => {
  for (const [first, last] of [
    [10 * KIB, 10],
    [300 * KIB, 70 * KIB],
  ] as const) {
    const stream = Buffer.concat([gzipSync(filled(first)), gzipSync(filled(last))])
    const budget = new Budget(2048 * KIB)
    const whole = Buffer.concat([filled(first), filled(last)])
    assert.deepEqual(Buffer.from(await inflate(stream, 1024 * KIB, budget.share())), whole)
    assert.ok(budget.used >= whole.length)
  }
})

test('inflates exactly the limit and refuses one byte more, small and large', async () => {
  for (const limit of [1000, 40 * KIB, 500 * KIB]) {
    const share = new Budget(4096 * KIB).share()
    assert.equal((await inflate(gzipSync(filled(limit)), limit, share)).length, limit)
    await assert.rejects(inflate(gzipSync(filled(limit + 1)), limit, share), { status: 413 })
  }
})

test('inflates large streams that arrive together one by one', async () => {
  const share = new Budget(64 * 1024 * KIB).share()
  const bodies = Array.from({ length: 8 }, (_, i) => Buffer.alloc(200 * KIB + i, i))
  const broken = gzipSync(Buffer.alloc(300 * KIB)).subarray(0, 100)
  const inflated = bodies.map((body) => inflate(gzipSync(body), 1024 * KIB, share))
  await assert.rejects(inflate(Buffer.from(broken), 1024 * KIB, share), { status: 400 })
  for (const [i, body] of (await Promise.all(inflated)).entries())
    assert.deepEqual(Buffer.from(body), bodies[i])
})
