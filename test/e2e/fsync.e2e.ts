// Proves with strace that a 200 means "on disk". The running program opens the queue's file with
// O_DSYNC, so each write is synced before it returns. Such a write ends after the request was read
// and before its 200 is written.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { execution, post } from '../support/sidecar.ts'
import { startSidecar, temporaryFolder } from './processes.ts'

const CONNECTIONS = 4
const REQUESTS = 40

interface Call {
  name: string
  /** Kernel time in seconds. */
  began: number
  ended: number
  text: string
}

/** Lines of `strace -f -ttt -T -yy`; calls that another thread's line cuts in two are joined. */
function callsIn(trace: string): Call[] {
  const calls: Call[] = []
  const open = new Map<string, { began: number; text: string }>()
  for (const line of trace.split('\n')) {
    const [, thread, at, rest] = /^(\d+) +(\d+\.\d+) (.*)$/.exec(line) ?? []
    if (thread === undefined || rest === undefined) continue
    if (rest.endsWith('<unfinished ...>')) {
      open.set(thread, { began: Number(at), text: rest })
      continue
    }
    const resumed = /^<\.\.\. (\w+) resumed>/.exec(rest)
    const start = resumed === null ? { began: Number(at), text: rest } : open.get(thread)
    if (start === undefined) continue
    const took = Number(/<(\d+\.\d+)>$/.exec(rest)?.[1] ?? 0)
    const ended = resumed === null ? Number(at) + took : Number(at)
    const text = resumed === null ? rest : start.text + rest
    calls.push({ name: /^\w+/.exec(text)?.[0] ?? '', began: start.began, ended, text })
  }
  return calls
}

test('a synced write to the queue ends before each 200, on several connections', async (t) => {
  const folder = await temporaryFolder(t)
  const trace = join(folder, 'trace')
  // -D: the program is our child, not strace's, so that it gets the signal that ends it.
  const before = [
    'strace',
    '-D',
    '-f',
    '-ttt',
    '-T',
    '-yy',
    '-s',
    '64',
    '-e',
    'trace=openat,pwrite64,write,writev,read',
    '-o',
    trace,
  ]
  const sidecar = await startSidecar(t, { folder, before, env: { USAGE_REPORTING: 'local' } })
  const answered = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      let count = 0
      for (let i = 0; i < REQUESTS; i++)
        if ((await post(sidecar.port, execution())).status === 200) count++
      return count
    }),
  )
  assert.deepEqual(answered, Array(CONNECTIONS).fill(REQUESTS))
  await sidecar.stop()
  const calls = callsIn(await readFile(trace, 'latin1'))
  const onSocket = (text: string): string | undefined => /<(TCP[^>]*->[^>]*)>/.exec(text)?.[1]
  const opened = calls.filter(
    ({ name, text }) => name === 'openat' && text.includes('/queue/') && text.includes('O_CREAT'),
  )
  assert.ok(opened.length > 0 && opened.every(({ text }) => text.includes('O_DSYNC')))
  const syncs = calls.filter(({ name, text }) => name === 'pwrite64' && text.includes('/queue/'))
  let checked = 0
  const asked = new Map<string, number>()
  for (const call of calls.toSorted((a, b) => a.began - b.began)) {
    const socket = onSocket(call.text)
    if (socket === undefined) continue
    if (call.name === 'read' && call.text.includes('POST /v1/traces')) asked.set(socket, call.ended)
    if (!call.name.startsWith('write') || !call.text.includes('HTTP/1.1 200')) continue
    const since = asked.get(socket)
    assert.ok(since !== undefined, 'an answer without a request')
    assert.ok(
      syncs.some((sync) => sync.began > since && sync.ended <= call.began),
      `no synced write to the queue between a request and its 200`,
    )
    checked++
  }
  assert.equal(checked, CONNECTIONS * REQUESTS)
  t.diagnostic(
    `${checked} answers, ${syncs.length} synced writes: requests that wait together share one`,
  )
})
