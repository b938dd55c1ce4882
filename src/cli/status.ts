// `status`: what the page shows, in the terminal. It asks the sidecar's own page on loopback; exit
// 0 only where all is well.
import { Agent, get } from 'node:http'
import type { View } from '../page/view.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { listenAddress, WrongSetting } from '../support/setting-parsers.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'

const TIMEOUT_MS = 10_000
const MAX_BYTES = 16 * 1024 * 1024

export async function status(host: Host, input: Input): Promise<number> {
  if (input.positionals.length > 0) throw new UsageError('status takes flags only.')
  const address = input.flags.page ?? host.env.USAGE_PAGE_LISTEN ?? '127.0.0.1:4320'
  const view = await askStatus(placeOf(address))
  if (view === undefined) {
    host.err(
      `No sidecar answers at ${address}. Give --page the address of its page (USAGE_PAGE_LISTEN).\n`,
    )
    return EXIT.failed
  }
  host.out(input.flags.json === 'true' ? `${JSON.stringify(view, undefined, 2)}\n` : rendered(view))
  return view.problems.length === 0 ? EXIT.done : EXIT.failed
}

function placeOf(address: string): ListenAddress {
  try {
    return listenAddress(address)
  } catch (error) {
    throw error instanceof WrongSetting ? new UsageError(`--page ${error.message}`) : error
  }
}

/** What the page of a sidecar says; `undefined` where none answers. */
export function askStatus(at: ListenAddress): Promise<Omit<View, 'sheet'> | undefined> {
  return new Promise((resolve) => {
    const failed = (): void => resolve(undefined)
    // An agent of its own: no proxy of the environment has a say.
    const request = get(
      {
        ...at,
        path: '/status.json',
        headers: { host: 'localhost' },
        agent: new Agent(),
        timeout: TIMEOUT_MS,
      },
      (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > MAX_BYTES) request.destroy()
          else chunks.push(chunk)
        })
        response.on('end', () => {
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as View)
          } catch {
            failed()
          }
        })
      },
    )
    request.on('timeout', () => request.destroy())
    request.on('error', failed)
    request.on('close', failed)
  })
}

function rendered(view: Omit<View, 'sheet'>): string {
  const { policy, sent, waiting } = view
  const time = (ms: number): string =>
    `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
  const line = (name: string, value: string): string => `${name.padEnd(18)} ${value}`
  const last = sent[0]
  return `${[
    line('reporting', `${view.mode}, decided by ${view.by}`),
    ...view.problems.map((problem) => line('problem', problem)),
    ...(policy === undefined
      ? []
      : [
          line('policy', `${policy.project} version ${policy.version}, until ${policy.expires}`),
          line('digest', policy.digest),
        ]),
    ...(view.collector === undefined ? [] : [line('collector', view.collector)]),
    ...(view.nextSendAt === undefined
      ? []
      : [line('next sending', `not before ${time(view.nextSendAt)}`)]),
    ...view.missingFacts.map(({ name, from, reasons }) =>
      line('fact not known', `${name}, from ${from}, for: ${reasons.join(' ')}`),
    ),
    line(
      'waiting',
      waiting.length === 0
        ? 'nothing'
        : `${waiting.length} files, ${waiting.reduce((sum, { bytes }) => sum + bytes, 0)} bytes`,
    ),
    line(
      'left',
      last === undefined
        ? 'nothing'
        : `${sent.length} bodies; the last at ${last.time}: ${last.result ?? 'no answer yet'}`,
    ),
    '',
    ...Object.entries(view.counters).map(
      ([name, count]) => `${String(count).padStart(12)}  ${name}`,
    ),
  ].join('\n')}\n`
}
