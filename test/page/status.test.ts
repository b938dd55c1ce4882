// The page and `status` show the true state of a running sidecar.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Host } from '../../src/cli/command.ts'
import { status } from '../../src/cli/status.ts'
import type { View } from '../../src/page/view.ts'
import { startCollector } from '../support/collector.ts'
import { execution, placeOf, post, startChild, startHere, until } from '../support/sidecar.ts'
import { ask } from './ask-page.ts'

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname

test('shows mode, policy and sent reports of a running sidecar, and that their bytes are the request', async (t) => {
  const collector = await startCollector(t)
  const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
  await post(sidecar.port(), execution())
  const view = async (): Promise<View> =>
    JSON.parse((await ask(sidecar.pagePort(), '/status.json')).body) as View
  await until('it is delivered', async () =>
    (await view()).sent.some(
      ({ result, file }) => result === 'delivered' && file?.place === 'sent',
    ),
  )
  const { mode, by, policy, sent, problems, missingFacts } = await view()
  assert.deepEqual(
    [mode, by, policy?.project, problems],
    ['on', 'USAGE_REPORTING', 'example.org/demo', []],
  )
  assert.deepEqual(missingFacts, [
    { name: 'app.version', from: 'USAGE_FACTS', reasons: ['Which releases are in use.'] },
    { name: 'k8s.nodes', from: 'the facts job', reasons: ['Small or large clusters.'] },
    { name: 'k8s.version', from: 'the facts job', reasons: ['Which Kubernetes to support.'] },
  ])
  const { place, name } = sent[0]!.file!
  assert.match(
    (await ask(sidecar.pagePort(), `/${place}/${name}`)).body,
    new RegExp(String(sent[0]!.sha256)),
  )
  assert.match((await ask(sidecar.pagePort())).body, /Everything that can be sent, and why/)
})

test('status prints the same, and exits with 0 only if there is no problem', async (t) => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, 'status', ...args], { encoding: 'utf8' })
  const well = await startChild(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const page = (at: typeof well): string =>
    `127.0.0.1:${Number(at.lines().find(({ event }) => event === 'accept: ready')?.page)}`
  const printed = run('--page', page(well))
  assert.deepEqual([printed.status, printed.stderr], [0, ''])
  assert.match(printed.stdout, /reporting +local, decided by USAGE_REPORTING/)
  assert.equal((JSON.parse(run('--page', page(well), '--json').stdout) as View).mode, 'local')
  const ill = await startChild(
    t,
    await placeOf(t, { USAGE_REPORTING: 'local', USAGE_POLICY: '/nowhere' }),
  )
  const problem = run('--page', page(ill))
  assert.equal(problem.status, 1)
  assert.match(
    problem.stdout,
    /problem +Nothing is kept or sent, because of the policy: The policy cannot be read/,
  )
  const nobody = run('--page', '127.0.0.1:9')
  assert.equal(nobody.status, 1)
  assert.match(nobody.stderr, /No sidecar answers at 127\.0\.0\.1:9/)
})

/** `status` in this process. */
async function statusOf(page: string): Promise<{ code: number; stdout: string }> {
  let stdout = ''
  const out = (text: string): void => {
    stdout += text
  }
  const code = await status({ env: {}, out, err: out } as Partial<Host> as Host, {
    flags: { page },
    positionals: [],
  })
  return { code, stdout }
}

test('shows the start of the next report, within a limit', async (t) => {
  const sidecar = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const view = async (): Promise<View> =>
    JSON.parse((await ask(sidecar.pagePort(), '/status.json')).body) as View
  assert.equal((await view()).next, undefined)
  for (const type of ['pipeline', 'orchestration', 'pipeline'])
    await post(sidecar.port(), execution(type))
  const { next } = await view()
  assert.deepEqual([next?.spans, next?.report.batches.map(({ spans }) => spans.length)], [3, [1]])
  const { body } = await ask(sidecar.pagePort())
  assert.match(
    body,
    /It would look like this\. It is not sent\.(?:.*\n)*.*usage\.batch\.id(?:.*\n)*.*The first of 3 spans\./,
  )
  // One request may make a file of any size, which is shown when somebody asks for it.
  const large = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const many = Buffer.concat(Array.from({ length: 20_000 }, () => execution()))
  assert.equal((await post(large.port(), many)).status, 200)
  const { waiting, next: none } = JSON.parse(
    (await ask(large.pagePort(), '/status.json')).body,
  ) as View
  assert.ok(waiting[0]!.bytes > 2 * 1024 * 1024)
  assert.equal(none, undefined)
})

test('shows the first report during the first send delay, and sends nothing', async (t) => {
  const collector = await startCollector(t)
  const env = { USAGE_ENDPOINT: collector.endpoint, USAGE_FIRST_SEND_DELAY: '24h' }
  const sidecar = await startHere(t, await placeOf(t, env))
  const before = Date.now()
  await post(sidecar.port(), execution())
  const { mode, next, nextSendAt, sent } = JSON.parse(
    (await ask(sidecar.pagePort(), '/status.json')).body,
  ) as View
  assert.deepEqual([mode, next?.spans, sent], ['on', 1, []])
  assert.ok(nextSendAt! >= before + 86_000_000)
  const { body } = await ask(sidecar.pagePort())
  assert.match(body, /It will be sent like this\.(?:.*\n)*.*execution\.type/)
  assert.equal(collector.connections, 0)
})

for (const [what, answer, problem] of [
  ['away', 503, /The collector cannot be reached or is busy/],
  ['one that refuses', 400, /The collector refused the last report with status 400/],
] as const) {
  test(`shows a collector that is ${what} as a problem, on the page and in status`, async (t) => {
    const collector = await startCollector(t, () => answer)
    const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
    await post(sidecar.port(), execution())
    await until('the page shows it', async () => problem.test((await ask(sidecar.pagePort())).body))
    assert.equal((await statusOf(`127.0.0.1:${sidecar.pagePort()}`)).code, 1)
  })
}

test('shows a full queue as a problem on the page and in status until it accepts requests again', async (t) => {
  const collector = await startCollector(t, () => 503)
  const sidecar = await startHere(
    t,
    await placeOf(t, { USAGE_ENDPOINT: collector.endpoint, USAGE_QUEUE_MAX: '64KiB' }),
  )
  const isShown = async (): Promise<boolean> =>
    /The last spans were not kept/.test((await ask(sidecar.pagePort())).body)
  while ((await post(sidecar.port(), execution())).status === 200);
  assert.ok(await isShown())
  assert.equal((await statusOf(`127.0.0.1:${sidecar.pagePort()}`)).code, 1)
  collector.answer = () => 200
  await until('there is room', async () => (await post(sidecar.port(), execution())).status === 200)
  assert.ok(!(await isShown()))
})

test('shows an unusable data directory as a problem, on the page and in status', async (t) => {
  const place = await placeOf(t, { USAGE_REPORTING: 'local' })
  await writeFile(place.dataFolder, '')
  const sidecar = await startHere(t, place)
  assert.equal((await post(sidecar.port(), execution())).status, 200)
  const { code, stdout } = await statusOf(`127.0.0.1:${sidecar.pagePort()}`)
  assert.equal(code, 1)
  assert.match(
    stdout,
    /problem +Nothing is kept or sent: the sidecar cannot use the data directory \((EEXIST|ENOTDIR)\)\. Check USAGE_DATA_DIR\./,
  )
  await rm(place.dataFolder)
  await until(
    'it is used',
    async () => (await statusOf(`127.0.0.1:${sidecar.pagePort()}`)).code === 0,
  )
})
