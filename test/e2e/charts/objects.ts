// What helm and kustomize print, as objects, read as Kubernetes reads YAML: version 1.1, in which a
// bare `off` is false.
import { parseAllDocuments } from 'yaml'
import type { KubernetesObject } from './schemas.ts'

export interface Container {
  name: string
  image: string
  args?: string[]
  restartPolicy?: string
  env?: { name: string; value?: string }[]
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  volumeMounts?: { name: string; mountPath: string }[]
}

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }
  spec: {
    containers: Container[]
    initContainers?: Container[] | null
    volumes?: { name: string }[] | null
    [field: string]: unknown
  }
}

export function objectsIn(text: string): KubernetesObject[] {
  return parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(`${document.errors[0]!.message}\n${text}`)
    const object = document.toJS() as KubernetesObject | null
    return object === null ? [] : [object]
  })
}

export function find(
  objects: readonly KubernetesObject[],
  kind: string,
  name?: string,
): KubernetesObject | undefined {
  return objects.find(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  )
}

/** The pod in a workload of any kind. */
export function podIn(object: KubernetesObject): PodTemplate {
  if (object.kind === 'Pod') return object as unknown as PodTemplate
  const spec = object.spec as {
    template?: PodTemplate
    jobTemplate?: { spec: { template: PodTemplate } }
  }
  return spec.template ?? spec.jobTemplate!.spec.template
}

export const sidecarIn = (pod: PodTemplate): Container | undefined =>
  pod.spec.initContainers?.find(({ name }) => name === 'usage-sidecar')

export function setting(pod: PodTemplate, name: string): string | undefined {
  return sidecarIn(pod)?.env?.find((variable) => variable.name === name)?.value
}
