// Captures the network of a sidecar in mode off. From the start it sends no packet outside
// loopback, asks for no name and makes no file. A running sidecar that is turned off sends nothing
// more. The same capture sees the packets of a sidecar in mode on.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { atEnd, filesIn, until } from '../support/sidecar.ts'
import { type Cable, end, FAR, layCable } from './namespaces.ts'
import { type Sidecar, startSidecar, temporaryFolder } from './processes.ts'

/** How long the capture must stay empty. */
const SILENT_SECONDS = process.env.USAGE_NIGHTLY === '1' ? 60 : 15
const NAME = 'collector.usage.svc'
const PORT = 4318
const ON = {
  USAGE_REPORTING: 'on',
  USAGE_ENDPOINT: `http://${NAME}:${PORT}`,
  USAGE_SEND_INTERVAL: '100ms',
}

interface Lines {
  child: ChildProcess
  lines: string[]
}

/** A TypeScript program of the test and its output. It prints `ready` first. */
async function run(
  t: TestContext,
  before: readonly string[],
  program: string,
  ...args: string[]
): Promise<Lines> {
  const [command, ...rest] = [
    ...before,
    process.execPath,
    join(import.meta.dirname, program),
    ...args,
  ]
  const child = spawn(command!, rest, { stdio: ['pipe', 'pipe', 'inherit'] })
  atEnd(t, () => end(child))
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  await until(`${program} is ready`, () => lines.includes('ready'))
  return { child, lines }
}

const startCollectorHost = (t: TestContext, { far }: Cable): Promise<Lines> =>
  run(t, far, 'collector-host.ts', FAR, NAME, String(PORT))

/** Ends the traffic. Returns the number of answers by status for each sidecar. */
async function answers({ child, lines }: Lines): Promise<Record<string, number>> {
  await end(child)
  return JSON.parse(lines.at(-1)!) as Record<string, number>
}

const seconds = (count: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 1000 * count))

/** Proves that the capture sees a sidecar in mode on. */
async function seesReports({ packets }: Cable, collectorHost: Lines): Promise<void> {
  const [before, lines] = [packets.length, collectorHost.lines.length]
  const since = (): string[] => packets.slice(before).map(({ text }) => text)
  // In this order, because the name query of a request can come earlier.
  const asked = (): number => collectorHost.lines.indexOf(`question ${NAME}`, lines)
  await until('the name is asked for', () => asked() >= 0)
  await until('the collector has a request', () => collectorHost.lines.includes('request', asked()))
  await until('the question was seen', () =>
    since().some((text) => text.includes(`> ${FAR}.53: `) && text.includes(NAME)),
  )
  await until('the connection was seen', () =>
    since().some((text) => text.includes(`> ${FAR}.${PORT}: Flags [S]`)),
  )
}

test('off from the start: no packet outside of loopback, no question for a name, no file, and every answer is 200', async (t) => {
  const cable = await layCable(t)
  const collectorHost = await startCollectorHost(t, cable)
  const folder = await temporaryFolder(t)
  const switches = join(folder, 'switches')
  const [annotations, offFile] = [`${switches}-annotations`, `${switches}-off`]
  await writeFile(annotations, 'usage-sidecar.dev/reporting="off"\n')
  await writeFile(offFile, '')
  const ways: Record<string, Record<string, string>> = {
    setting: { USAGE_REPORTING: 'off' },
    variable: { DO_NOT_TRACK: '1' },
    annotation: { USAGE_ANNOTATIONS_FILE: annotations },
    'kill-switch': { USAGE_OFF_FILE: offFile },
    'unreadable-annotations': { USAGE_ANNOTATIONS_FILE: `${switches}-missing` },
  }
  const sidecars: Sidecar[] = []
  for (const [way, env] of Object.entries(ways))
    sidecars.push(
      await startSidecar(t, {
        folder: join(folder, way),
        env: { ...ON, ...env },
        before: cable.near,
      }),
    )
  const traffic = await run(
    t,
    cable.near,
    'traffic.ts',
    ...sidecars.map(({ port }) => String(port)),
  )
  await seconds(SILENT_SECONDS)
  const counts = await answers(traffic)
  assert.deepEqual(Object.keys(counts).sort(), sidecars.map(({ port }) => `${port} 200`).sort())
  for (const count of Object.values(counts)) assert.ok(count > SILENT_SECONDS)
  assert.deepEqual(cable.packets, [])
  assert.deepEqual(collectorHost.lines, ['ready'])
  assert.deepEqual((await readdir(folder)).sort(), ['switches-annotations', 'switches-off'])

  // When one is turned on, the capture sees it.
  const turnedOn = await run(t, cable.near, 'traffic.ts', String(sidecars[3]!.port))
  await rm(offFile)
  await seesReports(cable, collectorHost)
  await answers(turnedOn)
  assert.ok((await filesIn(folder)).has('kill-switch/sidecar/epoch'))
})

test('turned off while a request is in flight: it is reset, and after that nothing goes out any more', async (t) => {
  const cable = await layCable(t)
  const collectorHost = await startCollectorHost(t, cable)
  const folder = await temporaryFolder(t)
  const annotations = join(folder, 'annotations')
  const annotate = (word: string): Promise<void> =>
    writeFile(annotations, `usage-sidecar.dev/reporting="${word}"`)
  await annotate('on')
  const env = { ...ON, USAGE_ANNOTATIONS_FILE: annotations }
  const sidecar = await startSidecar(t, { folder, env, before: cable.near })
  const traffic = await run(t, cable.near, 'traffic.ts', String(sidecar.port))
  await seesReports(cable, collectorHost)
  collectorHost.child.stdin!.write('hold\n')
  await until('a request is in flight', () => collectorHost.lines.includes('held'))
  await annotate('off')
  const done = await sidecar.said('data directory wiped')
  await until('it was reset', () => collectorHost.lines.includes('broken ECONNRESET'))
  const sent = collectorHost.lines.length
  collectorHost.child.stdin!.write('answer\n')
  await seconds(SILENT_SECONDS)
  // The log rounds times down to milliseconds.
  const afterwards = cable.packets.filter(({ at }) => 1000 * at > Date.parse(String(done.time)) + 1)
  assert.deepEqual(afterwards, [])
  assert.deepEqual(collectorHost.lines.slice(sent), ['answer'])
  const kept = [...(await filesIn(folder)).keys()].filter((name) =>
    /^sidecar\/(queue|sending|sent)\/|epoch$/.test(name),
  )
  assert.deepEqual(kept, [])

  await annotate('on')
  await seesReports(cable, collectorHost)
  assert.deepEqual(Object.keys(await answers(traffic)), [`${sidecar.port} 200`])
})
