// Kills the bundled program sixty times, a quarter of them during its start. `npm run nightly` does
// a thousand.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crash, figuresOf } from '../nightly/crash.ts'
import { BUNDLE, temporaryFolder } from './processes.ts'

test('sixty kills lose no acknowledged span, and count none twice that its client sent once', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const result = await crash({ kills: 60, seed, folder: await temporaryFolder(t), program: BUNDLE })
  t.diagnostic(`seed ${seed}: ${figuresOf(result)}`)
  const where = `seed ${seed}`
  assert.deepEqual(result.lost, [], where)
  assert.deepEqual(result.twice, [], where)
  assert.deepEqual(result.split, [], `${where}: a batch arrived in two different bodies`)
  for (const [client, acknowledged] of Object.entries(result.acknowledgedBy))
    assert.ok(acknowledged > 60, `${where}: ${client} had ${acknowledged}`)
  assert.ok(result.recognised > 0, `${where}: the collector was too kind`)
})
