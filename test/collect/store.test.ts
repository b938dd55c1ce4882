// The usage store with many senders at once.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Batch } from '../../src/collect/batches.ts'
import { countSpans } from '../../src/collect/counts.ts'
import { openStore, type Store } from '../../src/collect/store.ts'
import { Refusal } from '../../src/support/errors.ts'
import { createLog } from '../../src/support/log.ts'
import { hexId } from './collect-requests.ts'

const log = createLog('error', () => undefined)

async function withStore(look: (store: Store) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-store-'))
  const store = await openStore(folder, log)
  try {
    await look(store)
  } finally {
    await store.close()
    await rm(folder, { recursive: true, force: true })
  }
}

describe('many senders', () => {
  const made = (at: number): Batch => {
    const span = {
      traceId: hexId(16),
      spanId: hexId(8),
      parentId: undefined,
      name: 's',
      day: 20_000,
      status: 'ok' as const,
      attributes: [],
    }
    return {
      id: hexId(16),
      project: `p${at % 3}`,
      policyVersion: 1,
      policyDigest: undefined,
      facts: [],
      spans: [span],
    }
  }

  it('stores concurrent requests and tells each sender what was new', async () => {
    await withStore(async (store) => {
      const sent = Array.from({ length: 300 }, (_, at) => made(at))
      const added = await Promise.all([...sent, sent[7]!].map((one) => store.add([one])))
      assert.deepEqual(added.slice(0, 300), Array(300).fill({ accepted: 1, duplicates: 0 }))
      assert.deepEqual(added[300], { accepted: 0, duplicates: 1 })
      assert.deepEqual(await countSpans(store), { batches: 300, spans: { s: 300 } })
      assert.deepEqual(await countSpans(store, 'p1'), { batches: 100, spans: { s: 100 } })
    })
  })

  it('answers 503 for a request that cannot be written, and stores the others of its commit', async () => {
    await withStore(async (store) => {
      const bad = { ...made(0), policyDigest: 5 as unknown as string }
      const results = await Promise.allSettled(
        [made(0), made(1), bad, made(2)].map((one) => store.add([one])),
      )
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
      )
      const [, , refusal] = results
      assert.ok(
        refusal?.status === 'rejected' &&
          refusal.reason instanceof Refusal &&
          refusal.reason.status === 503,
      )
      assert.deepEqual(await countSpans(store), { batches: 3, spans: { s: 3 } })
    })
  })
})
