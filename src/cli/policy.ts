// `policy check` and `policy preview`: what a policy says, and what it would make of real spans, without a sidecar.
import { readFile } from 'node:fs/promises'
import { createAnonymizer } from '../anonymize/anonymize.ts'
import { parsePolicy } from '../anonymize/parse.ts'
import { policyDigest } from '../anonymize/policy.ts'
import { summary } from '../anonymize/summary.ts'
import { Counters } from '../counters.ts'
import { createEnricher } from '../enrich/enrich.ts'
import { allFacts, parseFacts } from '../enrich/facts.ts'
import { ConfigError, Refusal } from '../errors.ts'
import { jsonToProtobuf } from '../otlp/json.ts'
import { EXIT, type Host, type Input, onlyPositional, UsageError } from './command.ts'
import { renderRequest } from './render.ts'

const MAX_INPUT_BYTES = 64 * 1024 * 1024

export async function check(host: Host, input: Input): Promise<number> {
  const file = onlyPositional(input, 'the policy file')
  const text = await readFile(file, 'utf8').catch(() => {
    throw new ConfigError([`${file}: cannot be read.`])
  })
  try {
    host.out(summary(parsePolicy(text)))
    return EXIT.done
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const mistake of error.mistakes) host.err(`${file}:${mistake}\n`)
    host.err(`${error.mistakes.length} mistake${error.mistakes.length === 1 ? '' : 's'}. With this policy nothing would be kept or sent.\n`)
    return EXIT.config
  }
}

export async function preview(host: Host, input: Input): Promise<number> {
  const { policy: policyFile, input: inputFile, facts: factsText } = input.flags
  if (policyFile === undefined || inputFile === undefined || input.positionals.length > 0)
    throw new UsageError('Name the policy and the input.')
  const policy = parsePolicy(await readText(policyFile))
  const facts = allFacts(parseFacts(factsText ?? '{}', '--facts'), host.machine.arch, host.machine.platform, undefined)
  const raw = inputFile === '-' ? await readAll(host.stdin) : await readFile(inputFile).catch(() => fail(inputFile))
  const counters = new Counters()
  const anonymizer = createAnonymizer({ policy, facts, secret: undefined, counters, maxBytes: MAX_INPUT_BYTES })
  try {
    const passed = anonymizer.pass(looksLikeJson(raw) ? jsonToProtobuf(raw) : raw, Date.now())
    const { spans, rejected } = passed
    host.out(spans === 0 ? 'Nothing of this would leave.\n' : renderRequest(createEnricher(policy, 'custom', anonymizer).frame(passed)))
    const { 'spans.received': received = 0, 'spans.unlisted': unlisted = 0 } = counters.snapshot()
    host.out(`\n${received} spans in, ${spans} would leave; ${unlisted} are not named in the policy, ${rejected} are not valid.\n`)
    host.out(`Policy ${policyDigest(policy)}. Without an identity pseudonyms are left out; ids are examples.\n`)
    return EXIT.done
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    host.err(`${inputFile}: ${error.message}\n`)
    return EXIT.failed
  }
}

const fail = (file: string): never => {
  throw new ConfigError([`${file}: cannot be read.`])
}

const readText = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => fail(file))

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** A protobuf request begins with a tag (0x0a is also a line feed, so blanks are stepped over first). */
function looksLikeJson(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)
  return first === 0x7b
}
