// Finds the pods in a stream of YAML documents: pods themselves, and templates in the kinds that
// make pods. Kinds of other API groups are left alone, whatever their names.
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

/** By group and kind: the path from the object to its pod. */
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
  /** Such as `Deployment shop/web`, for people; empty if unknown. */
  name: string
  /** Why there is nothing to do; `undefined` if there is a pod. */
  reason?: string
  /** Whether the document cannot be read, so it may hold a pod. */
  unreadable?: true
  target?: Target
}

export interface Target {
  document: number
  path: readonly Step[]
  /**
   * The pod as nodes with positions in the text; `undefined` if the text has it by alias or merge
   * key.
   */
  node: YAMLMap | undefined
  /** The key that holds the node, if there is one. */
  above: Pair | undefined
  pod: Pod
  /** Metadata of the object around the template. */
  workload: Metadata | undefined
  namespace: Metadata | undefined
}

/** Kubernetes reads YAML 1.1. A document with errors has no value. */
export function readDocuments(text: string): Document.Parsed[] {
  const documents = parseAllDocuments(text, {
    version: '1.1',
    logLevel: 'silent',
    prettyErrors: false,
  })
  return 'empty' in documents ? [] : documents
}

/** Expands aliases, so that nothing is shared. Throws if there are too many. */
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
      return [{ document: index, name: '', reason: 'it is not valid YAML', unreadable: true }]
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
 * Makes a name safe for a terminal. Names in Kubernetes are ASCII; other characters could move the
 * cursor or begin a line.
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
    return { document: index, name, reason: 'this kind makes no pods' }
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

/** Whether the pod has the shape that the rest relies on. The API server would refuse any other. */
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

/** The node at the end of a path, and its key, if every step stands in the text itself. */
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
