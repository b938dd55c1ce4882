// The rights of the facts job as Kubernetes RBAC objects, each rule with its reason as a comment.
// `facts rights` prints them for any policy; deploy/facts/ and the chart are generated from them.
import { stringify } from 'yaml'
import type { Needs } from './needs.ts'
import { type Right, rightsFor } from './rights.ts'

export interface FactsNames {
  namespace: string
  /**
   * Name of the service account and of the namespaced objects; cluster objects append the
   * namespace.
   */
  name: string
  factsConfigMap: string
}

/** kubectl reads YAML 1.1, where a plain `off` is a boolean. */
export const yaml = (value: unknown): string =>
  stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }).trimEnd()
export const documents = (texts: readonly string[]): string => `${texts.join('\n---\n')}\n`

/** A rule of a role, with its reason as a comment. */
export function rule({ verb, of, reason }: Right): string {
  const what =
    'path' in of
      ? { nonResourceURLs: [of.path] }
      : {
          apiGroups: [of.group],
          resources: [of.resource],
          ...(of.name === undefined ? {} : { resourceNames: [of.name] }),
        }
  return `  # ${reason}\n${yaml([{ ...what, verbs: [verb] }]).replace(/^/gm, '  ')}`
}

/** A role and its binding, in the namespace or in the whole cluster. */
export function role(
  kind: 'Role' | 'ClusterRole',
  rights: readonly Right[],
  account: string,
  { name, namespace }: FactsNames,
): string[] {
  if (rights.length === 0) return []
  // The namespace keeps two projects apart.
  const metadata = kind === 'Role' ? { name: account, namespace } : { name: `${name}-${namespace}` }
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const binding = {
    apiVersion,
    kind: `${kind}Binding`,
    metadata,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
  }
  return [
    `${yaml({ apiVersion, kind, metadata })}\nrules:\n${rights.map(rule).join('\n')}`,
    yaml(binding),
  ]
}

export const serviceAccount = (name: string, { namespace }: FactsNames): string =>
  yaml({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace },
    automountServiceAccountToken: false,
  })

/** The job's service account and all of its rights. */
export function rbac(needs: Needs, names: FactsNames): string {
  const rights = rightsFor(needs, names.factsConfigMap)
  const [cluster, own] = [
    rights.filter(({ namespaced }) => !namespaced),
    rights.filter(({ namespaced }) => namespaced),
  ]
  return documents([
    serviceAccount(names.name, names),
    ...role('ClusterRole', cluster, names.name, names),
    ...role('Role', own, names.name, names),
  ])
}
