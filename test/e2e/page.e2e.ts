// Opens the sidecar's page in a real Chromium, with sent reports and one in the queue. It works in
// light and dark, wide and narrow, without scripts, by keyboard and with a screen reader. It
// requests nothing from other hosts and logs nothing. USAGE_UPDATE_PICTURES replaces the README's
// picture.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { execution, post } from '../support/sidecar.ts'
import { openBrowser, savePicture } from './browser.ts'
import { startCollector, startSidecar, temporaryFolder } from './processes.ts'

/** The page of a sidecar with sent reports and one in the queue. */
async function startPage(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t)
  const collector = await startCollector(t, folder)
  const start = (interval: string) =>
    startSidecar(t, {
      folder,
      env: {
        USAGE_REPORTING: 'on',
        USAGE_ENDPOINT: `http://127.0.0.1:${collector.port}`,
        USAGE_SEND_INTERVAL: interval,
        USAGE_FACTS: '{"app.version": "7.3.1", "k8s.version": "v1.33.2", "k8s.nodes": 12}',
      },
    })
  const pageOf = async (sidecar: Awaited<ReturnType<typeof start>>): Promise<string> =>
    `http://127.0.0.1:${Number((await sidecar.said('accept: ready')).page)}`
  const first = await start('1s')
  const url = await pageOf(first)
  for (let i = 0; i < 20; i++) assert.equal((await post(first.port, execution())).status, 200)
  const deadline = Date.now() + 20_000
  const left = async (): Promise<number> => {
    const { sent } = (await (await fetch(`${url}/status.json`)).json()) as {
      sent: { result?: string }[]
    }
    return sent.filter(({ result }) => result === 'delivered').length
  }
  while ((await left()) < 2) {
    assert.ok(Date.now() < deadline, 'nothing was delivered')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await first.stop()
  const second = await start('1h')
  for (const type of ['orchestration', 'pipeline', 'made up'])
    assert.equal((await post(second.port, execution(type))).status, 200)
  return await pageOf(second)
}

const SAYS = [
  'example.org/demo',
  'It will be sent like this.',
  'Sent reports',
  'delivered (200)',
  'spans.received',
  'Turn it off',
  'USAGE_REPORTING',
]

/** The lowest contrast of each visible text with its background (WCAG 2.2, 1.4.3). */
const LEAST_CONTRAST = `(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number)
  const light = (color) => {
    const [r, g, b] = parts(color).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor
      if (color.startsWith('rgb(')) return color
    }
    return 'rgb(255, 255, 255)'
  }
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  let least = { ratio: 99, text: '' }
  let count = 0
  while (texts.nextNode()) {
    const { textContent: text, parentElement: element } = texts.currentNode
    if (text.trim() === '' || element.getClientRects().length === 0) continue
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x)
    const ratio = (a + 0.05) / (b + 0.05)
    count++
    if (ratio < least.ratio) least = { ratio, text: text.trim().slice(0, 40) }
  }
  return { ...least, count }
})()`

test('the page shows the mode, what waits, what left and how to turn it off, to any reader', async (t) => {
  const url = await startPage(t)
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [1280, 390]) {
      const { page, messages, asked } = await openBrowser(t, { colorScheme, width, height: 1120 })
      await page.goto(url)
      const text = (await page.locator('body').textContent()) ?? ''
      for (const words of SAYS) assert.ok(text.includes(words), `${words} is not on the page`)
      assert.ok(
        (await page.evaluate<number>('document.documentElement.scrollWidth')) <= width,
        `wider than ${width}`,
      )
      await savePicture(
        page,
        `page-${colorScheme}-${width}`,
        colorScheme === 'light' && width === 1280 ? 'page.png' : undefined,
      )
      await page.locator('summary').click()
      const {
        ratio,
        text: where,
        count,
      } = await page.evaluate<{ ratio: number; text: string; count: number }>(LEAST_CONTRAST)
      assert.ok(count > 100 && ratio >= 4.5, `${colorScheme}: contrast ${ratio} at "${where}"`)
      await page.locator('summary').click()
      await page.locator('a[href^="/sent/"]').first().click()
      assert.match((await page.locator('body').textContent()) ?? '', /usage\.batch\.id/)
      assert.ok((await page.evaluate<{ ratio: number }>(LEAST_CONTRAST)).ratio >= 4.5)
      await savePicture(page, `report-${colorScheme}-${width}`)
      assert.deepEqual(messages, [])
      assert.deepEqual([...new Set(asked.map((one) => new URL(one).origin))], [url])
    }
  }
})

test('the page is used by keyboard, told to a screen reader, and needs no script', async (t) => {
  const url = await startPage(t)
  const { page, messages } = await openBrowser(t, {
    colorScheme: 'light',
    width: 1280,
    height: 860,
  })
  await page.goto(url)

  // Every stop of the Tab key is visible and in reading order.
  const all = `[...document.querySelectorAll('a[href], summary, [tabindex="0"]')].filter((one) => one.checkVisibility())`
  const stops = await page.evaluate<number>(`${all}.length`)
  assert.ok(stops >= 5)
  for (let stop = 0; stop < stops; stop++) {
    await page.keyboard.press('Tab')
    const at = await page.evaluate<{ index: number; outline: string }>(
      `({ index: ${all}.indexOf(document.activeElement), outline: getComputedStyle(document.activeElement).outlineStyle })`,
    )
    assert.deepEqual(at, { index: stop, outline: 'solid' })
    if ((await page.evaluate<string>('document.activeElement.localName')) !== 'summary') continue
    await page.keyboard.press('Enter')
    assert.ok(
      await page.evaluate<boolean>('document.activeElement.parentElement.open'),
      'Enter opens the data sheet',
    )
    await page.keyboard.press('Enter')
  }

  // The accessibility tree: landmarks, headings without a gap, tables with headers, named parts.
  const levels = await page.evaluate<number[]>(
    `[...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.localName[1]))`,
  )
  assert.deepEqual(
    levels.filter((level) => level === 1),
    [1],
  )
  for (const [index, level] of levels.entries())
    assert.ok(level <= (levels[index - 1] ?? 0) + 1, `heading ${index} of ${levels.join()}`)
  const tree = await page.locator('body').ariaSnapshot()
  for (const part of ['banner', 'main', 'contentinfo'])
    assert.match(tree, new RegExp(`^- ${part}:`, 'm'))
  for (const [role, name] of [
    ['region', 'Next report'],
    ['region', 'Sent reports'],
    ['region', 'Counters'],
    ['region', 'Turn it off'],
    ['columnheader', 'Answer'],
    ['rowheader', 'spans.received'],
    ['heading', 'On'],
  ] as const)
    assert.ok((await page.getByRole(role, { name }).count()) > 0, `${role} "${name}" in\n${tree}`)
  assert.equal(
    await page.evaluate<number>(
      `[...document.querySelectorAll('table')].filter((one) => one.querySelector('th') === null).length`,
    ),
    0,
  )
  assert.deepEqual(
    await page.evaluate<string[]>('[document.documentElement.lang, document.title]'),
    ['en', 'Usage reporting'],
  )
  assert.deepEqual(messages, [])

  const plain = await openBrowser(t, {
    colorScheme: 'light',
    width: 1280,
    height: 860,
    javaScriptEnabled: false,
  })
  await plain.page.goto(url)
  const text = (await plain.page.locator('body').textContent()) ?? ''
  for (const words of SAYS)
    assert.ok(text.includes(words), `${words} is not on the page without scripts`)
  assert.equal(await plain.page.locator('script').count(), 0)
  await plain.page.locator('a[href^="/queue/"]').first().click()
  await plain.page.getByText('A queued report').waitFor()
})

test('mode local, mode off and what is wrong are told as plainly', async (t) => {
  const folder = await temporaryFolder(t)
  const pages: Record<string, { env: Record<string, string>; says: RegExp; alerts: number }> = {
    local: { env: { USAGE_REPORTING: 'local' }, says: /Local.*Nothing is ever sent\./s, alerts: 0 },
    off: {
      env: { DO_NOT_TRACK: '1' },
      says: /Off.*Nothing is kept or sent\..*Decided by DO_NOT_TRACK\./s,
      alerts: 0,
    },
    wrong: {
      env: { USAGE_POLICY: join(folder, 'missing') },
      says: /Nothing is kept or sent, because of the policy/,
      alerts: 1,
    },
  }
  for (const [name, { env, says, alerts }] of Object.entries(pages)) {
    const sidecar = await startSidecar(t, { folder: join(folder, name), env })
    const url = `http://127.0.0.1:${Number((await sidecar.said('accept: ready')).page)}`
    for (const colorScheme of ['light', 'dark'] as const) {
      const { page, messages } = await openBrowser(t, { colorScheme, width: 1280, height: 860 })
      await page.goto(url)
      assert.match((await page.locator('body').textContent()) ?? '', says)
      assert.equal(await page.getByRole('alert').count(), alerts)
      const { ratio, text } = await page.evaluate<{ ratio: number; text: string }>(LEAST_CONTRAST)
      assert.ok(ratio >= 4.5, `${name}, ${colorScheme}: contrast ${ratio} at "${text}"`)
      assert.deepEqual(messages, [])
      await savePicture(page, `${name}-${colorScheme}`)
    }
  }
})
