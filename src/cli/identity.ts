// `identity show`: under which values the collector knows this installation today, so that its owner can ask for their
// deletion. `identity reset`: forgets who it is, so that from the next start nothing joins it to what was sent before.
import { applyOverlay } from '../anonymize/overlay.ts'
import { type OwnPseudonym, ownPseudonyms } from '../anonymize/own-pseudonyms.ts'
import { parsePolicy } from '../anonymize/parse.ts'
import type { Policy } from '../anonymize/policy.ts'
import { ConfigError, errorCode } from '../errors.ts'
import { openIdentity, resetIdentity } from '../identity/identity.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import { readPolicy, readText } from './policy-file.ts'

/** A flag, or the setting of the same name; the empty text is none. */
const setting = (host: Host, input: Input, flag: string, name: string): string | undefined =>
  input.flags[flag] ?? (host.env[name] === '' ? undefined : host.env[name])

function folderOf(host: Host, input: Input): string {
  if (input.positionals.length > 0) throw new UsageError('This command takes no further words.')
  const folder = setting(host, input, 'identity-dir', 'USAGE_IDENTITY_DIR')
  if (folder === undefined) throw new UsageError('Name the folder of the identity: --identity-dir, or USAGE_IDENTITY_DIR.')
  return folder
}

export async function showIdentity(host: Host, input: Input): Promise<number> {
  const folder = folderOf(host, input)
  const policy = await policyOf(host, input)
  const identity = openIdentity(folder, false)
  if ('reason' in identity) {
    host.err(`There is no identity, so nothing is sent that tells this installation from another: ${identity.reason}.\n`)
    return EXIT.failed
  }
  const now = Date.now()
  const found = ownPseudonyms(policy, identity.instanceId, identity.secret, now)
  if (found.length === 0) {
    host.out(`${policy.project}, policy version ${policy.version}, sends nothing that is made from the installation’s id alone.\n`)
    return EXIT.done
  }
  host.out(`How the collector of ${policy.project} knows this installation on ${new Date(now).toISOString().slice(0, 10)} (UTC):\n\n`)
  host.out(`${found.map(line).join('\n')}\n\n`)
  host.out(`To ask for deletion send these values to ${policy.contact}. Those of earlier days and months are others.\n`)
  return EXIT.done
}

const LASTS = { day: 'new every day', month: 'new every month', forever: 'never changes' } as const

const line = ({ span, name, lasts, value }: OwnPseudonym): string =>
  `  ${(span === undefined ? 'with every batch' : `span ${span}`).padEnd(24)} ${name.padEnd(24)} ${LASTS[lasts].padEnd(15)} ${value}`

async function policyOf(host: Host, input: Input): Promise<Policy> {
  const file = setting(host, input, 'policy', 'USAGE_POLICY')
  const text = host.env.USAGE_POLICY_TEXT
  const overlay = setting(host, input, 'policy-overlay', 'USAGE_POLICY_OVERLAY')
  if (file === undefined && (text === undefined || text === '')) throw new UsageError('Name the policy: --policy, or USAGE_POLICY.')
  const policy = file === undefined ? named('USAGE_POLICY_TEXT', () => parsePolicy(text!)) : await readPolicy(file)
  if (overlay === undefined) return policy
  const narrows = await readText(overlay)
  return named(overlay, () => applyOverlay(policy, narrows))
}

/** Says where the mistakes are. */
function named<T>(where: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.mistakes.map((mistake) => `${where}:${mistake}`))
  }
}

const MEANING = `From the next start on this installation counts as a new one: a new id, a new secret, new pseudonyms.
- What was sent stays with the collector. Its values can no longer be told afterwards: note \`identity show\` first, if you want them deleted.
- A sidecar that runs keeps the old identity until it is started again. Replicas that share the folder change together.
- What waits to be sent was made under the old identity and is still sent; USAGE_REPORTING=off wipes it.
`

export async function resetIdentityCommand(host: Host, input: Input): Promise<number> {
  const folder = folderOf(host, input)
  if (input.flags.yes === undefined) {
    host.err(`${MEANING}Nothing was changed. To do it: usage-sidecar identity reset --yes\n`)
    return EXIT.usage
  }
  let removed: number
  try {
    removed = resetIdentity(folder)
  } catch (error) {
    host.err(`The identity cannot be removed (${errorCode(error)}). In Kubernetes it is a Secret: delete that, and start the pods again.\n`)
    return EXIT.failed
  }
  host.out(removed === 0 ? 'There is no identity. Nothing was changed.\n' : `The identity is gone.\n${MEANING}`)
  return EXIT.done
}
