// `policy preview`: what a policy would make of real spans, without a sidecar: protobuf or JSON,
// compressed or not.
import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { createAnonymizer } from '../anonymize/anonymize.ts'
import { Enricher } from '../enrich/enrich.ts'
import { allFacts, parseFacts } from '../enrich/facts.ts'
import { jsonToProtobuf } from '../otlp/json.ts'
import { expiredOn } from '../policy/expiry.ts'
import { policyDigest } from '../policy/policy.ts'
import { Counters } from '../support/counters.ts'
import { Refusal } from '../support/errors.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import { readPolicy, unreadable } from './policy-file.ts'
import { renderRequest } from './render.ts'

const MAX_INPUT_BYTES = 64 * 1024 * 1024

export async function preview(host: Host, input: Input): Promise<number> {
  const { policy: policyFile, input: inputFile, facts: factsText } = input.flags
  if (policyFile === undefined || inputFile === undefined || input.positionals.length > 0)
    throw new UsageError('Name the policy and the input.')
  const policy = await readPolicy(policyFile)
  const facts = allFacts(
    parseFacts(factsText ?? '{}', '--facts'),
    host.machine.arch,
    host.machine.platform,
    undefined,
  )
  const raw =
    inputFile === '-'
      ? await readAll(host.stdin)
      : await readFile(inputFile).catch(() => {
          throw unreadable(inputFile)
        })
  const plain = plainBytes(raw)
  if (plain === undefined) {
    host.err(
      `${inputFile}: is not a gzip file that can be read, or larger than ${MAX_INPUT_BYTES} bytes.\n`,
    )
    return EXIT.failed
  }
  const now = Date.now()
  const expired = expiredOn(policy, new Date(now).toISOString().slice(0, 10))
  if (expired !== undefined) {
    host.out(`Nothing of this would leave, because of the policy: ${expired}\n`)
    return EXIT.done
  }
  const counters = new Counters()
  const anonymizer = createAnonymizer({
    policy,
    facts,
    secret: undefined,
    counters,
    maxBytes: MAX_INPUT_BYTES,
  })
  try {
    const passed = anonymizer.pass(looksLikeJson(plain) ? jsonToProtobuf(plain) : plain, now)
    const { spans, rejected } = passed
    host.out(
      spans === 0
        ? 'Nothing of this would leave.\n'
        : renderRequest(new Enricher(policy, 'custom', anonymizer).wrapResourceSpans(passed)),
    )
    const { 'spans.received': received = 0, 'spans.unlisted': unlisted = 0 } = counters.snapshot()
    host.out(
      `\n${received} spans in, ${spans} would leave; ${unlisted} are not named in the policy, ${rejected} are not valid.\n`,
    )
    host.out(
      `Policy ${policyDigest(policy)}. Without an identity pseudonyms are left out; ids are examples.\n`,
    )
    return EXIT.done
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    host.err(`${inputFile}: ${error.message}\n`)
    return EXIT.failed
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** `undefined`: compressed, and it cannot be read. */
function plainBytes(raw: Buffer): Buffer | undefined {
  if (raw[0] !== 0x1f || raw[1] !== 0x8b) return raw
  try {
    return gunzipSync(raw, { maxOutputLength: MAX_INPUT_BYTES })
  } catch {
    return undefined
  }
}

/**
 * A protobuf request begins with a tag (0x0a is also a line feed, so blanks are stepped over
 * first).
 */
function looksLikeJson(bytes: Uint8Array): boolean {
  const first = bytes.find(
    (byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d,
  )
  return first === 0x7b
}
