// What the level debug says of a request.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '../../src/support/log.ts'
import { execution, placeOf, post, startHere } from '../support/sidecar.ts'

test('debug lines tell of each request in numbers; other levels make none', async (t) => {
  const sidecar = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const body = execution('CANARY')
  await post(sidecar.port(), body)
  const line = sidecar.lines().find(({ event }) => event === 'request anonymized')
  assert.deepEqual(
    [line?.level, line?.bytes, line?.spans, line?.rejected],
    ['debug', body.length, 1, 0],
  )
  assert.doesNotMatch(JSON.stringify(sidecar.lines()), /CANARY/)
  assert.equal(createLog('info', () => undefined).debug, undefined)
})
