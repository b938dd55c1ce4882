// Everything that a sidecar shows: its pages and all linked reports, its answers to requests that
// hold a secret, and the output of `status` and `show`.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { type Child, filesIn } from '../support/sidecar.ts'
import { exchange, requestBytes } from './canary-http.ts'
import type { Secrets } from './canary-search.ts'

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
const AT_MOST = 256 * 1024 * 1024

const printedBy = (...args: string[]): Promise<Buffer> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { encoding: 'buffer', maxBuffer: AT_MOST },
      (_, stdout, stderr) => resolve(Buffer.concat([stdout, stderr])),
    )
  })

/**
 * All shown texts by their place. `reports` is the number of pages that are reports. `headers` hold
 * secrets.
 */
export async function everythingShown(
  secrets: Secrets,
  headers: Readonly<Record<string, string>>,
  child: Child,
  dataFolder: string,
): Promise<{ shown: [where: string, bytes: Buffer][]; reports: number; text: string }> {
  const port = Number(child.lines().find(({ event }) => event === 'accept: ready')?.page)
  const shown: [string, Buffer][] = []
  let asked = secrets.places.size
  const secret = (): string => secrets.text(`request of the page ${++asked}`)
  const ask = async (
    line: string,
    status: number,
    more: Record<string, string> = {},
  ): Promise<string> => {
    const answer = await exchange(port, requestBytes({ ...headers, ...more }, '', line))
    assert.equal(answer.toString('latin1', 9, 12), String(status))
    shown.push([`answer ${shown.length} of the page`, answer])
    return answer.toString('utf8')
  }

  const page = await ask('GET /', 200)
  const links = [...page.matchAll(/href="(\/(?:queue|sending|sent)\/[\d.a-z]+)"/g)].map(
    (match) => match[1]!,
  )
  let text = page
  // A file may have moved since.
  for (const link of links) text += await ask(`GET ${link}`, 200).catch(() => '')
  text += await ask('GET /status.json', 200)
  await ask(`GET /?${secret()}`, 200)
  await ask(`GET /${secret()}`, 404)
  await ask(`GET /sent/../${secret()}`, 404)
  await ask(`DELETE /${secret()}`, 405)
  await ask('GET /', 421, { host: `${secret()}.example` })
  await ask('GET /', 400, { [`${secret()} x`]: secret() })

  const at = `127.0.0.1:${port}`
  const commands = [
    ['status', '--page', at],
    ['status', '--json', '--page', at],
    ['status', '--page', secret()],
  ]
  for (const [name] of await filesIn(dataFolder))
    if (/^(queue|sending|sent)\//.test(name)) commands.push(['show', join(dataFolder, name)])
  for (const args of commands) {
    const printed = await printedBy(...args)
    shown.push([`what ${args[0]} prints`, printed])
    text += printed.toString('utf8')
  }
  return { shown, reports: links.length, text }
}
