// The rights of the facts job, each with its reason: the one description from which deploy/facts/
// is made, which `facts rights` prints for any policy, and by which the log names what is missing.
// Reading only, but for one ConfigMap of ours, and for the Secret of the identity, which another
// account makes, once.
import type { Needs } from './needs.ts'

export interface Right {
  verb: 'get' | 'list' | 'patch' | 'create'
  /** Of the API, or a path of the server. */
  of: { group: string; resource: string; name?: string } | { path: string }
  /** In the namespace of the project; else in the whole cluster. */
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
  reason:
    'How many nodes there are and of what kind. Where only the number is wanted, a single node’s metadata is read.',
}

/** Only whether it answers is looked at. */
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
  reason: `In which version ${group} is served, to count its objects.`,
})

export const objects = (group: string, plural: string): Right => ({
  verb: 'list',
  of: { group, resource: plural },
  namespaced: false,
  reason: `How many ${plural} there are. A single one’s metadata is read; the server says how many more there are.`,
})

export const publishing = (name: string): Right => ({
  verb: 'patch',
  of: { group: '', resource: 'configmaps', name },
  namespaced: true,
  reason: 'To write the facts, as the policy sends them, into this one ConfigMap.',
})

/**
 * A name cannot be given for `create`; the account has no other right, and the Job that has it
 * ends.
 */
export const IDENTITY: Right = {
  verb: 'create',
  of: { group: '', resource: 'secrets' },
  namespaced: true,
  reason:
    'To make the Secret of the identity where there is none; it can read none, and change none.',
}

/** All that the job does under this policy. */
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

/** `list nodes`, `get /version`, `list apis.gateway.kusk.io`: for people and logs. */
export function rightText({ verb, of }: Right): string {
  if ('path' in of) return `${verb} ${of.path}`
  const resource = of.group === '' ? of.resource : `${of.resource}.${of.group}`
  return `${verb} ${resource}${of.name === undefined ? '' : ` ${of.name}`}`
}
