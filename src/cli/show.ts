// `show FILE`: a file of queue/, sending/ or sent/ as people read it, with the SHA-256 that receipts.jsonl names: the
// bytes of the file are the bytes of the request.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { ConfigError, Refusal } from '../errors.ts'
import { EXIT, type Host, type Input, onlyPositional } from './command.ts'
import { renderRequest } from './render.ts'

const MAX_SHOWN_BYTES = 256 * 1024 * 1024

export async function show(host: Host, input: Input): Promise<number> {
  const file = onlyPositional(input, 'a file of queue/, sending/ or sent/')
  const bytes = await readFile(file).catch(() => {
    throw new ConfigError([`${file}: cannot be read.`])
  })
  try {
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
    const text = renderRequest(isGzip ? gunzipSync(bytes, { maxOutputLength: MAX_SHOWN_BYTES }) : bytes)
    host.out(text)
  } catch (error) {
    host.err(`${file}: ${error instanceof Refusal ? error.message : 'is not a gzip file that can be read.'}\n`)
    return EXIT.failed
  }
  host.out(`\nsha256 ${createHash('sha256').update(bytes).digest('hex')}  ${bytes.length} bytes\n`)
  return EXIT.done
}
