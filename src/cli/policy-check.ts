// `policy check FILE`: every error with its place, or what the policy lets out and how much that
// tells. A policy that tells more than its limits allow, or has expired, is sound and yet not to be
// used: exit 1.

import { summary } from '../datasheet/summary.ts'
import { expiredOn } from '../policy/expiry.ts'
import { type CheckedPolicy, checkPolicy } from '../policy/parse.ts'
import { ConfigError } from '../support/errors.ts'
import { EXIT, type Host, type Input, onlyPositional } from './command.ts'
import { readText } from './policy-file.ts'

export async function check(host: Host, input: Input): Promise<number> {
  const file = onlyPositional(input, 'the policy file')
  const text = await readText(file)
  let checked: CheckedPolicy
  try {
    checked = checkPolicy(text)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const message of error.errors) host.err(`${file}:${message}\n`)
    const count = error.errors.length
    host.err(
      `${count} error${count === 1 ? '' : 's'}. With this policy nothing would be kept or sent.\n`,
    )
    return EXIT.config
  }
  host.out(summary(checked.policy))
  for (const sentence of checked.over) host.err(`${file}:${sentence}\n`)
  if (checked.over.length > 0)
    host.err(
      'It tells more than its limits allow. With this policy nothing would be kept or sent.\n',
    )
  const expired = expiredOn(checked.policy, new Date().toISOString().slice(0, 10))
  if (expired !== undefined)
    host.err(`${expired} With this policy nothing would be kept or sent.\n`)
  return checked.over.length === 0 && expired === undefined ? EXIT.done : EXIT.failed
}
