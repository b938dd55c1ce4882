// `facts rights`: the RBAC that the facts job needs under a policy, as YAML for `kubectl apply`,
// each rule with its reason.
import { parseFacts } from '../enrich/facts.ts'
import { needsOf } from '../facts/needs.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import { NAMES, rbac } from './facts-manifest.ts'
import { policyOf } from './policy-file.ts'

export async function factsRights(host: Host, input: Input): Promise<number> {
  if (input.positionals.length > 0) throw new UsageError('facts rights takes flags only.')
  const needs = needsOf(
    await policyOf(host, input),
    parseFacts(input.flags.facts ?? '{}', '--facts'),
  )
  const { namespace = NAMES.namespace, 'facts-config-map': factsConfigMap = NAMES.factsConfigMap } =
    input.flags
  host.out(rbac(needs, { ...NAMES, namespace, factsConfigMap }))
  return EXIT.done
}
