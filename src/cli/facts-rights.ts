// `facts rights`: the RBAC that the facts job needs under a policy, as YAML for `kubectl apply`,
// each rule with its reason.
import { parseFacts } from '../enrich/facts.ts'
import { needsOf } from '../facts/needs.ts'
import { type FactsNames, rbac } from '../facts/rbac.ts'
import { DEFAULTS } from '../inject/container.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import { policyOf } from './policy-file.ts'

/** Names in deploy/facts/. */
export const NAMES: FactsNames = {
  namespace: 'usage-system',
  name: 'usage-sidecar-facts',
  factsConfigMap: DEFAULTS.factsConfigMap,
}

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
