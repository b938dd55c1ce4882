// Inflation, small bodies in one call and large ones in pieces: it holds to the limit and to the
// budget, and believes nothing that a stream says of its own size.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Budget } from '../../src/accept/budget.ts'
import { createInflate } from '../../src/accept/inflate.ts'

const KIB = 1024
const inflate = createInflate()
const filled = (bytes: number): Buffer => Buffer.alloc(bytes, 'otlp ')

test('what is inflated takes its size of the budget, and a refusal where it does not fit', async () => {
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

test('a stream of several members is inflated whole, whatever the last one says of its size', async () => {
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

test('exactly the limit is inflated and one byte more is not, small and large', async () => {
  for (const limit of [1000, 40 * KIB, 500 * KIB]) {
    const share = new Budget(4096 * KIB).share()
    assert.equal((await inflate(gzipSync(filled(limit)), limit, share)).length, limit)
    await assert.rejects(inflate(gzipSync(filled(limit + 1)), limit, share), { status: 413 })
  }
})

test('large streams that come together are inflated each for itself', async () => {
  const share = new Budget(64 * 1024 * KIB).share()
  const bodies = Array.from({ length: 8 }, (_, i) => Buffer.alloc(200 * KIB + i, i))
  const broken = gzipSync(Buffer.alloc(300 * KIB)).subarray(0, 100)
  const inflated = bodies.map((body) => inflate(gzipSync(body), 1024 * KIB, share))
  await assert.rejects(inflate(Buffer.from(broken), 1024 * KIB, share), { status: 400 })
  for (const [i, body] of (await Promise.all(inflated)).entries())
    assert.deepEqual(Buffer.from(body), bodies[i])
})
