// The official Python SDK and exporter send through a running sidecar to a running collector, which counts; and when the
// sidecar is away, no exception reaches the application.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { PYTHON } from './install.ts'
import { startCollector, startSidecar, temporaryFolder } from './processes.ts'

const PROGRAM = new URL('clients/python.py', import.meta.url).pathname
const EXECUTIONS = 25

interface Ran {
  code: number | null
  stdout: string
  stderr: string
}

function runPython(endpoint: string): Promise<Ran> {
  const child = spawn(PYTHON, [PROGRAM, endpoint, String(EXECUTIONS)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ran: Ran = { code: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ran.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ran.stderr += text
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...ran, code })))
}

test('what the official Python exporter sends arrives at the collector', async (t) => {
  const folder = await temporaryFolder(t)
  const collector = await startCollector(t, folder)
  const sidecar = await startSidecar(t, {
    folder,
    env: { USAGE_REPORTING: 'on', USAGE_ENDPOINT: `http://127.0.0.1:${collector.port}`, USAGE_SEND_INTERVAL: '100ms' },
  })
  const { code, stdout, stderr } = await runPython(`http://127.0.0.1:${sidecar.port}`)
  assert.deepEqual([code, stdout, stderr], [0, 'done\n', ''])
  // Two providers make two copies of each stage.
  const wanted = { execution: EXECUTIONS, stage: 2 * EXECUTIONS }
  const deadline = Date.now() + 20_000
  for (;;) {
    const { spans } = (await (await fetch(`${collector.page}/counts.json`)).json()) as { spans: Record<string, number> }
    if (spans.execution === wanted.execution && spans.stage === wanted.stage) break
    assert.ok(Date.now() < deadline, `the collector counted ${JSON.stringify(spans)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})

test('an application in Python ends well while there is no sidecar', async () => {
  const { code, stdout } = await runPython('http://127.0.0.1:9')
  assert.deepEqual([code, stdout], [0, 'done\n'])
})
