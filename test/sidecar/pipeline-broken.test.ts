// Whatever is broken, the process lives, answers the application, keeps and sends nothing, and says
// why. When the cause goes away, the sidecar continues without a restart.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { lockFile } from '../../src/queue/lock.ts'
import { spansWaiting, startCollector } from '../support/collector.ts'
import {
  atEnd,
  errorsIn,
  execution,
  filesIn,
  placeOf,
  post,
  type Sidecar,
  startChild,
  startHere,
  temporaryFolder,
  until,
} from '../support/sidecar.ts'
import { policyText } from '../support/spans.ts'

const POLICY = policyText(
  'execution:\n  attributes:\n    execution.type: {keep: [pipeline], reason: A test.}',
)

const because = (...reasons: string[]): string[] =>
  reasons.map((reason) => `policy: nothing is kept or sent: ${reason}`)

/** Posts to a sidecar that must answer 200, keep nothing and have logged exactly these errors. */
async function keepsNothing(sidecar: Sidecar, folder: string, errors: string[]): Promise<void> {
  assert.equal((await post(sidecar.port(), execution())).status, 200)
  assert.equal(sidecar.counters.get('requests.discarded'), 1)
  assert.deepEqual(errorsIn(sidecar.lines()), errors)
  const kept = [...(await filesIn(folder)).keys()].filter((name) =>
    /^data\/(queue|sending|sent)/.test(name),
  )
  assert.deepEqual(kept, [])
}

async function policyFile(t: TestContext, text: string): Promise<string> {
  const path = join(await temporaryFolder(t), 'policy.yaml')
  await writeFile(path, text)
  return path
}

/** A port that is in use until `free` is called. */
async function takenPort(t: TestContext) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  let open = true
  const free = async (): Promise<void> => {
    if (!open) return
    open = false
    server.close()
    await once(server, 'close')
  }
  atEnd(t, free)
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, free }
}

describe('a sidecar with a fault', { concurrency: true }, () => {
  describe('in the policy', () => {
    it('logs all errors at once, each with its place', async (t) => {
      const collector = await startCollector(t)
      const wrong = POLICY.replace('retention: 1d', 'retention: for ever')
        .replace('keep: [pipeline]', 'keep: []')
        .replace('version: 1', 'version: 0')
      const place = await placeOf(t, {
        USAGE_ENDPOINT: collector.endpoint,
        USAGE_POLICY: await policyFile(t, wrong),
      })
      const sidecar = await startHere(t, place)
      await keepsNothing(
        sidecar,
        place.folder,
        because(
          '3:10: `version` must be a whole number from 1 to 9999.',
          '6:12: `retention` must be a number of days, for example 395d.',
          '11:30: `keep` must list 1 to 1000 values.',
        ),
      )
      assert.equal(collector.connections, 0)
      assert.equal(existsSync(place.dataFolder), false)
      assert.equal(existsSync(place.identityFolder), false)
    })

    it('uses a missing policy once it appears', async (t) => {
      const collector = await startCollector(t)
      const path = join(await temporaryFolder(t), 'policy.yaml')
      const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint, USAGE_POLICY: path })
      const sidecar = await startHere(t, place)
      await keepsNothing(
        sidecar,
        place.folder,
        because('The policy cannot be read. Set USAGE_POLICY to a UTF-8 file of at most 1 MiB.'),
      )
      await writeFile(path, POLICY)
      await until('the policy is in force', () => existsSync(join(place.dataFolder, 'epoch')))
      await post(sidecar.port(), execution())
      await until('a report arrived', () => collector.spans().length === 1)
    })

    for (const [what, text, reason] of [
      [
        'is not UTF-8',
        Buffer.from([0x61, 0xff]),
        'The policy cannot be read. Set USAGE_POLICY to a UTF-8 file of at most 1 MiB.',
      ],
      ['is empty', '', '1:1: The file is empty. Start with `apiVersion`.'],
    ] as const) {
      it(`logs that the policy ${what}, and the process lives`, async (t) => {
        const path = await policyFile(t, '')
        await writeFile(path, text)
        const place = await placeOf(t, { USAGE_POLICY: path, USAGE_REPORTING: 'local' })
        await keepsNothing(await startHere(t, place), place.folder, because(reason))
      })
    }

    it('logs that facts are not JSON', async (t) => {
      const place = await placeOf(t, {
        USAGE_REPORTING: 'local',
        USAGE_FACTS: '{"app.version": secret}',
      })
      const reason = 'USAGE_FACTS is not JSON. Give one object, such as {"app.version": "1.32.0"}.'
      await keepsNothing(await startHere(t, place), place.folder, because(reason))
    })
  })

  describe('in the settings', () => {
    it('logs all errors at once, and keeps and sends nothing', async (t) => {
      const place = await placeOf(t, {
        USAGE_SEND_INTERVAL: 'often',
        USAGE_QUEUE_FULL: 'explode',
        USAGE_LOG_LEVEL: 'loud',
      })
      const sidecar = await startHere(t, place)
      const sentences = [
        'USAGE_SEND_INTERVAL must be a duration, for example 30s, 5m, 1h or 7d.',
        'USAGE_QUEUE_FULL must be one of refuse, drop-oldest.',
        'USAGE_LOG_LEVEL must be one of debug, info, warn, error.',
        'USAGE_ENDPOINT is not set, but USAGE_REPORTING is on. Set it to the base URL of the collector.',
      ]
      const errors = sentences.map((sentence) => `settings: nothing is kept or sent: ${sentence}`)
      await keepsNothing(sidecar, place.folder, errors)
      const [line] = sidecar.lines().filter(({ event }) => event === 'consent: mode decided')
      assert.deepEqual([line?.mode, line?.by], ['off', 'an invalid setting'])
      assert.deepEqual([...(await filesIn(place.folder)).keys()], [])
    })

    it('keeps running and stops on SIGTERM', async (t) => {
      const child = await startChild(t, await placeOf(t, { USAGE_REPORTING: 'maybe' }))
      assert.equal((await post(child.port, execution())).status, 200)
      assert.deepEqual(errorsIn(child.lines()), [
        'settings: nothing is kept or sent: USAGE_REPORTING must be one of off, local, on.',
      ])
      assert.equal(await child.end('SIGTERM'), 0)
    })
  })

  describe('in the data directory', () => {
    for (const [mode, sentence] of [
      ['off', 'cannot wipe the data directory'],
      ['local', 'cannot use the data directory'],
      ['on', 'cannot use the data directory'],
    ] as const) {
      it(`keeps running in mode ${mode} and uses the directory once it can`, async (t) => {
        const collector = await startCollector(t)
        const place = await placeOf(t, {
          USAGE_ENDPOINT: collector.endpoint,
          USAGE_REPORTING: mode,
        })
        await writeFile(place.dataFolder, 'in the way')
        const sidecar = await startHere(t, place)
        await keepsNothing(sidecar, place.folder, [sentence])
        assert.match(
          String(sidecar.lines().find(({ event }) => event === sentence)?.code),
          /^(EEXIST|ENOTDIR)$/,
        )
        await rm(place.dataFolder)
        if (mode === 'off') return
        const kept = async (): Promise<boolean> => {
          await post(sidecar.port(), execution())
          return sidecar.counters.get('spans.kept') > 0
        }
        await until('spans are kept', kept)
        if (mode === 'on') await until('a report arrived', () => collector.spans().length > 0)
      })
    }

    it('keeps nothing and holds no lock until the epoch can be written', async (t) => {
      const collector = await startCollector(t)
      const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
      await mkdir(join(place.dataFolder, 'epoch.tmp'), { recursive: true })
      const sidecar = await startHere(t, place)
      await keepsNothing(sidecar, place.folder, ['cannot use the data directory'])
      const unlock = lockFile(join(place.dataFolder, 'lock'))
      unlock()
      await rmdir(join(place.dataFolder, 'epoch.tmp'))
      await until('the epoch is there', () => existsSync(join(place.dataFolder, 'epoch')))
      await post(sidecar.port(), execution())
      await until('a report arrived', () => collector.spans().length === 1)
    })

    it('reports without pseudonyms if the identity directory cannot be used', async (t) => {
      const collector = await startCollector(t)
      const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
      await writeFile(place.identityFolder, 'in the way')
      const sidecar = await startHere(t, place)
      await post(sidecar.port(), execution())
      await until('a report arrived', () => collector.spans().length === 1)
      const line = sidecar
        .lines()
        .find(({ event }) => event === 'identity: not available; no pseudonyms are sent')
      assert.equal(line?.reason, 'the identity directory cannot be used (EEXIST)')
    })
  })

  describe('in the network', () => {
    it('logs an unavailable collector once and delivers the reports when it is back', async (t) => {
      const collector = await startCollector(t, () => 'close')
      const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
      const sidecar = await startHere(t, place)
      assert.equal((await post(sidecar.port(), execution())).status, 200)
      await until('it was tried twice', () => collector.requests.length >= 2)
      const away = sidecar.lines().filter(({ level }) => level === 'warn')
      assert.deepEqual(
        away.map(({ event, status, code }) => [event, status, code]),
        [['send: collector unavailable; reports stay queued', 0, 'ECONNRESET']],
      )
      assert.equal((await spansWaiting(place.dataFolder)).length, 1)
      collector.answer = () => 200
      await until('it arrived', () => collector.spans().length === 1)
    })

    it('logs the code of a refused connection and keeps the spans', async (t) => {
      const { address, free } = await takenPort(t)
      await free()
      const place = await placeOf(t, { USAGE_ENDPOINT: `http://${address}` })
      const sidecar = await startHere(t, place)
      assert.equal((await post(sidecar.port(), execution())).status, 200)
      await until('it is said', () => sidecar.lines().some(({ code }) => code === 'ECONNREFUSED'))
      assert.equal((await spansWaiting(place.dataFolder)).length, 1)
    })

    it('logs a port that is in use and takes it when it is free', async (t) => {
      const { address, free } = await takenPort(t)
      const sidecar = await startHere(
        t,
        await placeOf(t, { USAGE_REPORTING: 'local', USAGE_HTTP_LISTEN: address }),
      )
      assert.deepEqual(errorsIn(sidecar.lines()), [
        `cannot listen on ${address} (USAGE_HTTP_LISTEN): address in use; retrying in 5 s`,
      ])
      assert.equal(sidecar.port(), 0)
      await free()
      await until('it listens', () => sidecar.port() !== 0)
      assert.equal((await post(sidecar.port(), execution())).status, 200)
      assert.equal(sidecar.counters.get('spans.kept'), 1)
    })

    it('accepts spans while the health port is in use', async (t) => {
      const { address, free } = await takenPort(t)
      const sidecar = await startHere(
        t,
        await placeOf(t, { USAGE_REPORTING: 'local', USAGE_HEALTH_LISTEN: address }),
      )
      assert.deepEqual(errorsIn(sidecar.lines()), [
        `cannot listen on ${address} (USAGE_HEALTH_LISTEN): address in use; retrying in 5 s`,
      ])
      assert.equal((await post(sidecar.port(), execution())).status, 200)
      assert.equal(sidecar.counters.get('spans.kept'), 1)
      await free()
      await until('it listens', () => sidecar.healthPort() !== 0)
    })
  })
})
