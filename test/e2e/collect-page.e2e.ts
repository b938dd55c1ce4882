// Opens the collector's page in a real Chromium. Its counts are those of counts.json. It requests
// nothing from other hosts, logs nothing, and is readable in light and dark, wide and narrow.
// USAGE_UPDATE_PICTURES replaces the README's picture.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batch, type TestSpan } from '../collect/collect-requests.ts'
import { openBrowser, savePicture } from './browser.ts'
import { startCollector, temporaryFolder } from './processes.ts'

const DAY_MS = 86_400_000
const DAYS = 45
const PICK = {
  type: ['pipeline', 'pipeline', 'pipeline', 'orchestration', 'other'],
  status: ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'terminal', 'canceled'],
}
const STAGES = [
  'deploy',
  'deploy',
  'deploy',
  'bake',
  'bake',
  'wait',
  'manualJudgment',
  'other',
  'other',
]
const PROVIDERS = ['kubernetes', 'kubernetes', 'kubernetes', 'aws', 'aws', 'gce', 'other']
const DURATIONS = [1, 10, 10, 60, 60, 60, 600, 600, 3600]
const VERSIONS = ['7.3.1', '7.3.1', '7.3.0', '7.2.4', '6.9.2', 'other']

/** The numbers are the same in every run, so the picture changes only with the page. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Reports of a few dozen installations over six weeks. */
function reports(today: number): Buffer[] {
  const next = numbers(7)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!
  return Array.from({ length: DAYS }, (_, back) => {
    const day = today - DAYS + 1 + back
    const weekend = [6, 0].includes(new Date(day * DAY_MS).getUTCDay())
    const count = Math.floor((weekend ? 9 : 30) * (0.7 + 0.6 * next()) * (0.6 + back / DAYS))
    const installations = Array.from({ length: 3 }, () => {
      const spans: TestSpan[] = []
      for (let i = 0; i < count; i++) {
        const status = pick(PICK.status)
        spans.push({
          name: 'execution',
          at: day * DAY_MS,
          status: status === 'terminal' ? 2 : 1,
          attributes: {
            'execution.type': pick(PICK.type),
            'execution.status': status,
            'execution.duration': pick(DURATIONS),
          },
        })
        for (let s = 0; s < 1 + next() * 3; s++)
          spans.push({
            name: 'stage',
            at: day * DAY_MS,
            attributes: { 'stage.type': pick(STAGES), 'stage.provider': pick(PROVIDERS) },
          })
      }
      const nodes = pick([1, 2, 5, 5, 10, 10, 50])
      return batch(spans, {
        'app.version': pick(VERSIONS),
        'k8s.version': pick(['1.33', '1.33', '1.34', '1.32']),
        'k8s.nodes': nodes,
        'host.arch': pick(['amd64', 'amd64', 'arm64']),
      })
    })
    return Buffer.concat(installations)
  })
}

test('the page shows what was counted, to any reader, and asks nothing of anybody else', async (t) => {
  const collector = await startCollector(t, await temporaryFolder(t))
  for (const body of reports(Math.floor(Date.now() / DAY_MS))) {
    const headers = { 'content-type': 'application/x-protobuf' }
    const { status } = await fetch(`http://127.0.0.1:${collector.port}/v1/traces`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
    assert.equal(status, 200)
  }
  const { spans } = (await (await fetch(`${collector.page}/counts.json`)).json()) as {
    spans: Record<string, number>
  }
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const { page, messages, asked } = await openBrowser(t, { colorScheme, width, height: 860 })
      await page.goto(collector.page)
      const text = (await page.locator('body').textContent()) ?? ''
      for (const count of Object.values(spans))
        assert.ok(
          text.includes(`${count.toLocaleString('en-GB')} spans`),
          `${count} is not on the page`,
        )
      assert.ok(
        (await page.evaluate<number>('document.documentElement.scrollWidth')) <= width,
        `wider than ${width}`,
      )
      assert.deepEqual(messages, [])
      assert.deepEqual([...new Set(asked.map((url) => new URL(url).origin))], [collector.page])
      await savePicture(
        page,
        `collect-${colorScheme}-${width}`,
        colorScheme === 'light' && width === 1280 ? 'collect.png' : undefined,
      )
      await page.keyboard.press('Tab')
      assert.notEqual(
        await page.evaluate<string>(
          'getComputedStyle(document.activeElement ?? document.body).outlineStyle',
        ),
        'none',
      )
    }
  }
})
