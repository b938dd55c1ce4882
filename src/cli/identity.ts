// `identity show`: under which values the collector knows this installation today, so that its
// owner can ask for their deletion. `identity reset`: forgets who it is, so that from the next
// start nothing joins it to what was sent before.
import { type OwnPseudonym, ownPseudonyms } from '../anonymize/own-pseudonyms.ts'
import { openIdentity, resetIdentity } from '../identity/identity.ts'
import { errorCode } from '../support/errors.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import { policyOf, setting } from './policy-file.ts'

function folderOf(host: Host, input: Input): string {
  if (input.positionals.length > 0) throw new UsageError('This command takes no further words.')
  const folder = setting(host, input, 'identity-dir', 'USAGE_IDENTITY_DIR')
  if (folder === undefined)
    throw new UsageError('Name the folder of the identity: --identity-dir, or USAGE_IDENTITY_DIR.')
  return folder
}

export async function showIdentity(host: Host, input: Input): Promise<number> {
  const folder = folderOf(host, input)
  const policy = await policyOf(host, input)
  const identity = openIdentity(folder, false)
  if ('reason' in identity) {
    host.err(
      `There is no identity, so nothing is sent that tells this installation from another: ${identity.reason}.\n`,
    )
    return EXIT.failed
  }
  const now = Date.now()
  const found = ownPseudonyms(policy, identity.instanceId, identity.secret, now)
  if (found.length === 0) {
    host.out(
      `${policy.project}, policy version ${policy.version}, sends nothing that is made from the installation’s id alone.\n`,
    )
    return EXIT.done
  }
  host.out(
    `How the collector of ${policy.project} knows this installation on ${new Date(now).toISOString().slice(0, 10)} (UTC):\n\n`,
  )
  host.out(`${found.map(line).join('\n')}\n\n`)
  host.out(
    `To ask for deletion send these values to ${policy.contact}. Those of earlier days and months are others.\n`,
  )
  return EXIT.done
}

const LASTS = { day: 'new every day', month: 'new every month', forever: 'never changes' } as const

const line = ({ span, name, lasts, value }: OwnPseudonym): string =>
  `  ${(span === undefined ? 'with every batch' : `span ${span}`).padEnd(24)} ${name.padEnd(24)} ${LASTS[lasts].padEnd(15)} ${value}`

const MEANING = `From the next start on this installation counts as a new one: a new id, a new secret, new pseudonyms.
- What was sent stays with the collector. Note the output of \`identity show\` first if you want it deleted; it is unknown afterwards.
- A sidecar that runs keeps the old identity until it is started again. Replicas that share the folder change together.
- Queued reports carry the old identity and are still sent. USAGE_REPORTING=off wipes them.
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
    host.err(
      `The identity cannot be removed (${errorCode(error)}). In Kubernetes it is a Secret: delete that, and start the pods again.\n`,
    )
    return EXIT.failed
  }
  host.out(
    removed === 0
      ? 'There is no identity. Nothing was changed.\n'
      : `The identity is gone.\n${MEANING}`,
  )
  return EXIT.done
}
