// The sidecar's own page in a real Chromium, with reports that left and one that waits: light and dark, wide and narrow,
// no script, nothing asked of anybody else, nothing on the console; a report opens decoded. With USAGE_UPDATE_PICTURES
// the README's picture is taken anew.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { execution, post } from '../sidecar.ts'
import { openBrowser, savePicture } from './browser.ts'
import { startCollector, startSidecar, temporaryFolder } from './processes.ts'

test('the page shows the mode, what waits, what left and how to turn it off, to any reader', async (t) => {
  const folder = await temporaryFolder(t)
  const collector = await startCollector(t, folder)
  const sidecar = await startSidecar(t, {
    folder,
    env: {
      USAGE_REPORTING: 'on',
      USAGE_ENDPOINT: `http://127.0.0.1:${collector.port}`,
      USAGE_SEND_INTERVAL: '1s',
      USAGE_FACTS: '{"app.version": "7.3.1", "k8s.version": "v1.33.2", "k8s.nodes": 12}',
    },
  })
  const url = `http://127.0.0.1:${Number((await sidecar.said('accept: ready')).page)}`
  for (let i = 0; i < 20; i++) assert.equal((await post(sidecar.port, execution())).status, 200)
  const deadline = Date.now() + 20_000
  const left = async (): Promise<number> => {
    const { sent } = (await (await fetch(`${url}/status.json`)).json()) as { sent: { result?: string }[] }
    return sent.filter(({ result }) => result === 'delivered').length
  }
  while ((await left()) < 2) {
    assert.ok(Date.now() < deadline, 'nothing was delivered')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  assert.equal((await post(sidecar.port, execution('orchestration'))).status, 200)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const { page, told, asked } = await openBrowser(t, { colorScheme, width, height: 860 })
      await page.goto(url)
      const text = (await page.locator('body').textContent()) ?? ''
      for (const words of ['example.org/demo', 'What left', 'delivered (200)', 'spans.received', 'Turn it off', 'USAGE_REPORTING'])
        assert.ok(text.includes(words), `${words} is not on the page`)
      assert.ok((await page.evaluate<number>('document.documentElement.scrollWidth')) <= width, `wider than ${width}`)
      await savePicture(page, `page-${colorScheme}-${width}`, colorScheme === 'light' && width === 1280 ? 'page.png' : undefined)
      await page.locator('a[href^="/sent/"]').first().click()
      assert.match((await page.locator('body').textContent()) ?? '', /usage\.batch\.id/)
      await savePicture(page, `report-${colorScheme}-${width}`)
      assert.deepEqual(told, [])
      assert.deepEqual([...new Set(asked.map((one) => new URL(one).origin))], [url])
    }
  }
})
