// The shipped file of the MutatingAdmissionPolicy, applied for a project of the tests as its page
// says: names and data of the one ConfigMap are the project's.
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import { root } from '../../../deploy/image/contents.ts'
import { until } from '../../support/sidecar.ts'
import { apply, kubectl } from './cluster.ts'
import { IMAGE, POLICY } from './world.ts'

export const PROJECT = 'usage-sidecar.dev/project'
export const INJECT = 'usage-sidecar.dev/inject'

export interface KubernetesObject {
  kind: string
  metadata: { name: string; namespace?: string }
  data?: Record<string, string>
}

/** Waits until it is in force. */
export async function installInjection(
  project: string,
  settings: Record<string, string>,
): Promise<void> {
  const text = readFileSync(`${root}deploy/injection.yaml`, 'utf8').replaceAll(
    'my-project',
    project,
  )
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject)
  const parameters = objects.find(({ kind }) => kind === 'ConfigMap')!
  parameters.data = { ...parameters.data, image: IMAGE, ...settings, USAGE_POLICY_TEXT: POLICY }
  await apply(objects)
  await until(
    `pods of ${project} are injected`,
    async () => (await injectedInto(project)) === 'usage-sidecar',
  )
}

/** Name of the first init container of a pod of the project, if it were made now. */
export function injectedInto(
  project: string,
  annotations: Record<string, string> = {},
): Promise<string> {
  const all = Object.entries({ [PROJECT]: project, ...annotations }).map(
    ([key, value]) => `--annotations=${key}=${value}`,
  )
  return kubectl(
    'run',
    'probe',
    '--image=localhost/any',
    '--dry-run=server',
    '-o',
    'jsonpath={.spec.initContainers[0].name}',
    ...all,
  )
}

/** Changes the data of the project's parameters. */
export const setParameters = (
  project: string,
  data: Record<string, string | null>,
): Promise<string> =>
  kubectl(
    'patch',
    'configmap',
    `${project}.usage-sidecar.dev`,
    '-n',
    `${project}-usage`,
    '--type=merge',
    '-p',
    JSON.stringify({ data }),
  )
