// Describes the rights of the facts job, each with its reason. deploy/facts/ and the chart are
// generated from this description, `facts rights` prints it for any policy, and the log names
// missing rights by it. The job only reads, except for one ConfigMap. The identity's Secret is
// created by another account, once.
import type { Needs } from './needs.ts'

export interface Right {
  verb: 'get' | 'list' | 'patch' | 'create'
  /** An API resource, or a path of the server. */
  of: { group: string; resource: string; name?: string } | { path: string }
  /** Whether the right is limited to the project's namespace. */
  namespaced: boolean
  reason: string
}

export const VERSION: Right = {
  verb: 'get',
  of: { path: '/version' },
  namespaced: false,
  reason: 'The version of the API server (k8s.version, k8s.distribution).',
}

export const NODES: Right = {
  verb: 'list',
  of: { group: '', resource: 'nodes' },
  namespaced: false,
  reason: 'The number and kinds of nodes. For the number alone, one node’s metadata is read.',
}

/** The job only needs to know whether it answers. */
export const OPENSHIFT: Right = {
  verb: 'get',
  of: { path: '/apis/config.openshift.io' },
  namespaced: false,
  reason: 'Whether this is OpenShift (k8s.distribution).',
}

export const servedVersion = (group: string): Right => ({
  verb: 'get',
  of: { path: `/apis/${group}` },
  namespaced: false,
  reason: `The served version of ${group}, to count its objects.`,
})

export const objects = (group: string, plural: string): Right => ({
  verb: 'list',
  of: { group, resource: plural },
  namespaced: false,
  reason: `The number of ${plural}. One object’s metadata is read; the server says how many follow.`,
})

export const publishing = (name: string): Right => ({
  verb: 'patch',
  of: { group: '', resource: 'configmaps', name },
  namespaced: true,
  reason: 'To write the facts, as the policy sends them, to this one ConfigMap.',
})

/** Kubernetes cannot limit `create` to a name. The account has no other right, and its Job ends. */
export const IDENTITY: Right = {
  verb: 'create',
  of: { group: '', resource: 'secrets' },
  namespaced: true,
  reason: 'To create the identity’s Secret if it is missing. It can neither read nor change it.',
}

/** All rights that the job needs under this policy. */
export function rightsFor(
  { version, distribution, nodes, counted }: Needs,
  configMap: string,
): Right[] {
  const groups = [...new Set(counted.map(({ group }) => group))]
  return [
    ...(version ? [VERSION] : []),
    ...(distribution ? [OPENSHIFT] : []),
    ...(nodes === 'none' ? [] : [NODES]),
    ...groups.map(servedVersion),
    ...counted.map(({ group, plural }) => objects(group, plural)),
    publishing(configMap),
  ]
}

/** Such as `list nodes`, `get /version` or `list apis.gateway.kusk.io`, for people and logs. */
export function rightText({ verb, of }: Right): string {
  if ('path' in of) return `${verb} ${of.path}`
  const resource = of.group === '' ? of.resource : `${of.resource}.${of.group}`
  return `${verb} ${resource}${of.name === undefined ? '' : ` ${of.name}`}`
}
