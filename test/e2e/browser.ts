// A real Chromium, and the pictures it takes: into a temporary folder for the reader of a failed
// run, and for the README where USAGE_UPDATE_PICTURES asks for it.
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
  /** Lines on the console, and errors of the page. */
  messages: string[]
  /** Every address that the page asked for. */
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
    // Root has no sandbox to give; the page is our own.
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

/** `readme`: the name among README's pictures, of what is seen without scrolling. */
export async function savePicture(page: Page, name: string, readme?: string): Promise<void> {
  mkdirSync(TEMPORARY, { recursive: true })
  await page.screenshot({ path: join(TEMPORARY, `${name}.png`), fullPage: true })
  if (readme === undefined || process.env.USAGE_UPDATE_PICTURES !== '1') return
  mkdirSync(PICTURES, { recursive: true })
  await page.screenshot({ path: join(PICTURES, readme) })
}
