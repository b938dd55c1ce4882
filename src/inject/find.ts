// Where in a stream of YAML documents the pods are: in pods, and in the templates of the kinds that
// make pods. Kinds of other groups are left alone, however they are called.
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  type YAMLMap,
} from 'yaml'
import { type Metadata, type Pod, textOf } from './decide.ts'

type Step = string | number

/** Group and kind: the way from the object to its pod. */
const KINDS: Readonly<Record<string, readonly Step[]>> = {
  '/Pod': [],
  '/ReplicationController': ['spec', 'template'],
  'apps/Deployment': ['spec', 'template'],
  'apps/StatefulSet': ['spec', 'template'],
  'apps/DaemonSet': ['spec', 'template'],
  'apps/ReplicaSet': ['spec', 'template'],
  'batch/Job': ['spec', 'template'],
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template'],
}

/** An object that may hold a pod, or a document that cannot be read. */
export interface Found {
  document: number
  /** `Deployment shop/web`, for people; empty where nobody can tell. */
  name: string
  /** Why there is nothing to do, or else the pod. */
  reason?: string
  /** Nobody can tell whether it holds one. */
  unreadable?: true
  target?: Target
}

export interface Target {
  document: number
  path: readonly Step[]
  /**
   * The same pod as nodes with places in the text; `undefined` where the text has it by alias or
   * merge key.
   */
  node: YAMLMap | undefined
  /** The key that holds the node, where one does. */
  above: Pair | undefined
  pod: Pod
  /** Of the object around the template. */
  workload: Metadata | undefined
  namespace: Metadata | undefined
}

/** Kubernetes reads YAML 1.1. A document with mistakes has no value. */
export function readDocuments(text: string): Document.Parsed[] {
  const documents = parseAllDocuments(text, {
    version: '1.1',
    logLevel: 'silent',
    prettyErrors: false,
  })
  return 'empty' in documents ? [] : documents
}

/** Nothing in it is shared, although an anchor was. Throws where a document is too entangled. */
export const readValue = (document: Document.Parsed): unknown =>
  JSON.parse(JSON.stringify(document.toJS()) ?? 'null')

export function findPods(documents: readonly Document.Parsed[]): Found[] {
  const values = documents.map((document) => {
    if (document.errors.length > 0) return undefined
    try {
      return { value: readValue(document) }
    } catch {
      return undefined
    }
  })
  const namespaces = new Map<string, Metadata>()
  for (const read of values)
    for (const { value } of objectsIn(read?.value))
      if (value.kind === 'Namespace' && value.apiVersion === 'v1')
        namespaces.set(textOf(metadataOf(value).name ?? ''), metadataOf(value))
  return documents.flatMap((document, index) => {
    const read = values[index]
    if (read === undefined)
      return [
        { document: index, name: '', reason: 'it is not YAML that can be read', unreadable: true },
      ]
    if (read.value === null) return []
    return objectsIn(read.value).map((object) => foundIn(document, index, object, namespaces))
  })
}

interface Place {
  path: readonly Step[]
  value: Record<string, unknown>
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const metadataOf = (value: Record<string, unknown>): Metadata =>
  isObject(value.metadata) ? value.metadata : {}

function objectsIn(value: unknown, path: readonly Step[] = []): Place[] {
  if (!isObject(value)) return []
  if (value.kind !== 'List' || value.apiVersion !== 'v1' || !Array.isArray(value.items))
    return [{ path, value }]
  return value.items.flatMap((item, index) => objectsIn(item, [...path, 'items', index]))
}

/**
 * For a terminal: names of Kubernetes are ASCII, and what is none must not move the cursor or begin
 * a line of ours.
 */
const printable = (name: string): string => name.slice(0, MAX_NAME).replace(/[^\x20-\x7e]/g, '…')
const MAX_NAME = 400

function foundIn(
  document: Document.Parsed,
  index: number,
  { path, value }: Place,
  namespaces: ReadonlyMap<string, Metadata>,
): Found {
  const metadata = metadataOf(value)
  const [kind, apiVersion] = [String(value.kind), String(value.apiVersion)]
  const [of, called] = [
    textOf(metadata.namespace ?? 'default'),
    textOf(metadata.name ?? 'without a name'),
  ]
  const name = printable(`${kind} ${metadata.namespace === undefined ? '' : `${of}/`}${called}`)
  const way = KINDS[`${apiVersion.includes('/') ? apiVersion.replace(/\/.*/s, '') : ''}/${kind}`]
  if (way === undefined || !/^([a-z.]+\/)?v\d/.test(apiVersion))
    return { document: index, name, reason: 'no pod is made from this kind' }
  const pod = way.reduce<unknown>((at, step) => (isObject(at) ? at[step] : undefined), value)
  if (!isPod(pod)) return { document: index, name, reason: 'its pod has no containers' }
  const target = {
    document: index,
    path: [...path, ...way],
    ...nodeAt(document.contents, [...path, ...way]),
    pod,
    workload: way.length === 0 ? undefined : metadata,
    namespace: namespaces.get(of),
  }
  return { document: index, name, target }
}

/** Of the form that the rest relies on; the API server would refuse any other. */
function isPod(value: unknown): value is Pod {
  const isList = (list: unknown): list is Record<string, unknown>[] =>
    Array.isArray(list) && list.every(isObject)
  const absent = (part: unknown): boolean => part === undefined || part === null
  if (
    !isObject(value) ||
    !isObject(value.spec) ||
    !isList(value.spec.containers) ||
    value.spec.containers.length === 0
  )
    return false
  const { containers, initContainers, volumes, os, nodeSelector } = value.spec
  const { annotations, labels } = isObject(value.metadata) ? value.metadata : {}
  return (
    [value.metadata, os, nodeSelector, annotations, labels].every(
      (part) => absent(part) || isObject(part),
    ) &&
    [initContainers, volumes].every((part) => absent(part) || isList(part)) &&
    [
      ...containers,
      ...((initContainers as Record<string, unknown>[] | null | undefined) ?? []),
    ].every(
      ({ env, envFrom, ports, resources }) =>
        [env, envFrom, ports].every((part) => absent(part) || isList(part)) &&
        (absent(resources) ||
          (isObject(resources) &&
            [resources.requests, resources.limits].every(
              (part) => absent(part) || isObject(part),
            ))),
    )
  )
}

/** The node that a path leads to, and its key, where every step of it stands in the text itself. */
export function nodeAt(
  root: Node | null,
  path: readonly Step[],
): { node: YAMLMap | undefined; above: Pair | undefined } {
  let at: unknown = root
  let above: Pair | undefined
  for (const step of path) {
    above = isMap(at) ? at.items.find(({ key }) => isScalar(key) && key.value === step) : undefined
    at = isSeq(at) ? at.items[Number(step)] : above?.value
  }
  return { node: isMap(at) ? at : undefined, above }
}
