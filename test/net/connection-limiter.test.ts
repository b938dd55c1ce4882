// Which connection a server closes when it has too many.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionLimiter } from '../../src/net/connection-limiter.ts'

test('closes the longest idle connection, and none that is being answered', () => {
  const closed: string[] = []
  const connection = (name: string) => ({ destroy: () => void closed.push(name) })
  const limiter = new ConnectionLimiter<ReturnType<typeof connection>>(3)
  const a = connection('a')
  const b = connection('b')
  const c = connection('c')
  const d = connection('d')
  const e = connection('e')
  const f = connection('f')
  for (const one of [a, b, c]) assert.ok(limiter.add(one))
  limiter.touch(a)
  limiter.beginAnswer(b)
  assert.ok(limiter.add(d))
  assert.deepEqual(closed, ['c'])
  limiter.beginAnswer(a)
  limiter.beginAnswer(a)
  limiter.beginAnswer(d)
  assert.equal(limiter.add(e), false)
  assert.deepEqual([closed, limiter.size], [['c', 'e'], 3])
  limiter.endAnswer(a)
  assert.equal(limiter.add(e), false)
  limiter.endAnswer(a)
  assert.equal(limiter.evictOldest(a), false)
  assert.ok(limiter.add(f))
  assert.deepEqual([closed, limiter.size], [['c', 'e', 'e', 'a'], 3])
  limiter.remove(f)
  // A connection that was removed changes nothing.
  limiter.beginAnswer(a)
  limiter.endAnswer(a)
  limiter.touch(a)
  assert.equal(limiter.size, 2)
})
