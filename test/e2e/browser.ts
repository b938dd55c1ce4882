// Runs a real Chromium and takes screenshots. They go into a temporary folder, for a failed run.
// With USAGE_UPDATE_PICTURES they also replace the README's pictures.
import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { chromium, type Page } from 'playwright-core'
import { atEnd } from './processes.ts'

const PICTURES = new URL('../../docs/pictures/', import.meta.url).pathname
const TEMPORARY = join(tmpdir(), 'usage-sidecar-pictures')

export interface Opened {
  page: Page
  /** Console lines and page errors. */
  messages: string[]
  /** Every address that the page requested. */
  asked: string[]
}

export async function openBrowser(
  t: TestContext,
  {
    width,
    height,
    ...how
  }: { colorScheme: 'light' | 'dark'; width: number; height: number; javaScriptEnabled?: boolean },
): Promise<Opened> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Chromium has no sandbox as root. The page is our own.
    chromiumSandbox: false,
    args: [
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  })
  atEnd(t, () => browser.close())
  const page = await browser.newPage({ ...how, viewport: { width, height } })
  const messages: string[] = []
  const asked: string[] = []
  page.on('console', (message) => messages.push(message.text()))
  page.on('pageerror', (error) => messages.push(error.message))
  page.on('request', (request) => asked.push(request.url()))
  return { page, messages, asked }
}

/** `readme`: the name of the README's picture. It shows only what is visible without scrolling. */
export async function savePicture(page: Page, name: string, readme?: string): Promise<void> {
  mkdirSync(TEMPORARY, { recursive: true })
  await page.screenshot({ path: join(TEMPORARY, `${name}.png`), fullPage: true })
  if (readme === undefined || process.env.USAGE_UPDATE_PICTURES !== '1') return
  mkdirSync(PICTURES, { recursive: true })
  await page.screenshot({ path: join(PICTURES, readme) })
}
