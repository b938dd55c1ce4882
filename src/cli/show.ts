// `show`: prints the data directory for people. Without a file it lists the queued files, the sent
// files and the receipts. With a file of queue/, sending/ or sent/ it decodes the file and prints
// the SHA-256 that receipts.jsonl names. It changes nothing.
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type Found, filesIn, type Receipt, receiptsIn } from '../queue/read-folder.ts'
import { ConfigError, Refusal } from '../support/errors.ts'
import { readConfig } from '../support/settings.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import { renderRequest } from './render.ts'

const MAX_SHOWN_BYTES = 256 * 1024 * 1024
/** In the list; the file `receipts.jsonl` shows all that are kept. */
const LISTED_RECEIPTS = 20
const RECEIPTS = 'receipts.jsonl'

export async function show(host: Host, input: Input): Promise<number> {
  const [file, ...rest] = input.positionals
  if (rest.length > 0)
    throw new UsageError(
      'Give one file of queue/, sending/ or sent/, or receipts.jsonl, or nothing to list them.',
    )
  const folder = input.flags['data-dir'] ?? readConfig(host.env).config.dataDir
  if (file === undefined) return await list(host, folder)
  if (basename(file) === RECEIPTS)
    return await receipts(host, file === RECEIPTS ? folder : join(file, '..'))
  return await open(host, folder, file)
}

async function list(host: Host, folder: string): Promise<number> {
  await readdir(folder).catch(() => {
    throw new ConfigError([`${folder}: cannot be read.`])
  })
  const line = ({ place, name, bytes }: Found): string =>
    `  ${`${place}/${name}`.padEnd(34)}${String(bytes).padStart(10)} bytes\n`
  const part = (title: string, lines: readonly string[]): string =>
    `${title}\n${lines.length === 0 ? '  nothing\n' : lines.join('')}`
  const [queue, sending, sent] = [
    await filesIn(folder, 'queue'),
    await filesIn(folder, 'sending'),
    await filesIn(folder, 'sent'),
  ]
  const receipts = await receiptsIn(folder, LISTED_RECEIPTS)
  host.out(`${folder}\n\n`)
  host.out(`${part('waits', [...sending, ...queue].map(line))}\n`)
  host.out(`${part('left, and is kept', sent.map(line))}\n`)
  host.out(part(`receipts (the last ${LISTED_RECEIPTS})`, receipts.map(receiptLine)))
  return EXIT.done
}

async function receipts(host: Host, folder: string): Promise<number> {
  const all = await receiptsIn(folder, Number.POSITIVE_INFINITY)
  if (all.length === 0) throw new ConfigError([`${join(folder, RECEIPTS)}: there are no receipts.`])
  host.out(
    all
      .map(
        (receipt) =>
          `${receiptLine(receipt)}    sha256 ${receipt.sha256}  policy ${receipt.policy}\n`,
      )
      .join(''),
  )
  return EXIT.done
}

function receiptLine({ time, sequence, spans, batches, bytes, outcome }: Receipt): string {
  const answer = outcome === undefined ? 'no answer yet' : `${outcome.result} (${outcome.status})`
  return `  ${time}  ${String(sequence).padStart(12, '0')}  ${spans} spans in ${batches} batches, ${bytes} bytes  ${answer}\n`
}

/** As it is named, or as the list names it. */
async function open(host: Host, folder: string, file: string): Promise<number> {
  const bytes = await readFile(file)
    .catch(() => readFile(join(folder, file)))
    .catch(() => {
      throw new ConfigError([`${file}: cannot be read.`])
    })
  try {
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
    host.out(
      renderRequest(isGzip ? gunzipSync(bytes, { maxOutputLength: MAX_SHOWN_BYTES }) : bytes),
    )
  } catch (error) {
    host.err(
      `${file}: ${error instanceof Refusal ? error.message : 'is not a gzip file that can be read.'}\n`,
    )
    return EXIT.failed
  }
  host.out(`\nsha256 ${createHash('sha256').update(bytes).digest('hex')}  ${bytes.length} bytes\n`)
  return EXIT.done
}
