// A port that is in use at the start is taken later; a stopped process does not try again.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { close, listen } from '../../src/net/listen.ts'
import { listenWithRetry } from '../../src/net/listen-with-retry.ts'
import { createLog } from '../../src/support/log.ts'

const HOST = '127.0.0.1'

test('retries every 5 seconds until the port is free', async (t) => {
  const lines: Record<string, unknown>[] = []
  const log = createLog('info', (line) => lines.push(JSON.parse(line)))
  const other = createServer()
  const address = await listen(other, { host: HOST, port: 0 })
  const server = createServer()
  const { promise: listening, resolve } = Promise.withResolvers<unknown>()
  t.mock.timers.enable({ apis: ['setTimeout'] })

  const attempt = {
    setting: 'USAGE_HTTP_LISTEN',
    address,
    listen: () => listen(server, address),
    onListening: resolve,
  }
  await listenWithRetry(attempt, log, new AbortController().signal)
  assert.equal(server.listening, false)
  assert.deepEqual(
    lines.map(({ level, event, code }) => [level, event, code]),
    [
      [
        'error',
        `cannot listen on ${HOST}:${address.port} (USAGE_HTTP_LISTEN): address in use; retrying in 5 s`,
        'EADDRINUSE',
      ],
    ],
  )

  other.close()
  t.mock.timers.tick(4_999)
  assert.equal(server.listening, false)
  t.mock.timers.tick(1)
  assert.deepEqual(await listening, address)
  t.mock.timers.reset()
  await close(server)
})

test('does not try again after the signal is aborted', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const stopping = new AbortController()
  let attempts = 0
  const attempt = {
    setting: 'USAGE_PAGE_LISTEN',
    address: { host: '::1', port: 4317 },
    listen: () => {
      attempts++
      return Promise.reject(new Error('not a system error'))
    },
    onListening: () => assert.fail('it cannot listen'),
  }
  const lines: string[] = []
  const log = createLog('info', (line) => lines.push(line))
  await listenWithRetry(attempt, log, stopping.signal)
  assert.match(lines[0]!, /cannot listen on \[::1\]:4317 \(USAGE_PAGE_LISTEN\): UNKNOWN; retrying/)
  stopping.abort()
  t.mock.timers.tick(60_000)
  assert.equal(attempts, 1)
})
