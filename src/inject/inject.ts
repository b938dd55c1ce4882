// Adds the sidecar to the pods of a stream of YAML documents and removes it again, as text.
// Comments, order, quotes and everything that is not a pod stay byte for byte, and
// `uninjectText(injectText(x).text).text` is x. The result is verified: it is parsed again, must
// equal the pods that `apply.ts` makes, and must give the original text back. A document that fails
// this stays unchanged, with the reason.
import { isDeepStrictEqual } from 'node:util'
import { isAlias, isMap, isSeq, type Pair, type YAMLMap } from 'yaml'
import { type Additions, add, additionsTo, isOurVariable, isOurVolume, remove } from './apply.ts'
import { CONTAINER, INJECTED, type Options } from './container.ts'
import { Cutter } from './cut.ts'
import { allContainers, decide, type Pod } from './decide.ts'
import { findPods, nodeAt, readDocuments, readValue, type Target } from './find.ts'
import {
  CannotEdit,
  Inserter,
  type Insertion,
  insertAll,
  lineStart,
  pairIn,
  startOf,
} from './insert.ts'

/** What happened to one object, in the order of the text. */
export interface Outcome {
  /** Number of the document, from 1. */
  document: number
  name: string
  done: boolean
  /** Why not; completes a sentence after "because". */
  reason?: string
  /** The sidecar should have been added and could not. */
  failed?: true
}

export interface Filtered {
  text: string
  outcomes: Outcome[]
}

interface Plan {
  outcome: Outcome
  target: Target
  insertions: Insertion[]
  apply: (pod: Pod) => void
}

export function injectText(text: string, options: Options): Filtered {
  const documents = readDocuments(text)
  const outcomes: Outcome[] = []
  const plans: Plan[] = []
  for (const { document, name, reason, unreadable, target } of findPods(documents)) {
    const outcome: Outcome = {
      document: document + 1,
      name,
      done: false,
      ...(unreadable ? { failed: true } : {}),
    }
    outcomes.push(outcome)
    const decision =
      target === undefined ? undefined : decide(target.pod, target.namespace, target.workload)
    if (target === undefined || decision === undefined) outcome.reason = reason!
    else if (!decision.inject) outcome.reason = decision.reason
    else {
      const additions = additionsTo(allContainers(target.pod), options, decision)
      attempt(outcome, () =>
        plans.push({
          outcome,
          target,
          insertions: insertionsFor(text, target, additions),
          apply: (pod) => add(pod, additions),
        }),
      )
    }
  }
  return { text: carryOut(text, plans), outcomes }
}

function carryOut(text: string, plans: readonly Plan[]): string {
  const { result, good } = changeAll(plans, (some) => {
    const changed = insertAll(
      text,
      some.flatMap(({ insertions }) => insertions),
    )
    const targets = some.map(({ target }) => target)
    if (!isDeepStrictEqual(valuesIn(changed), expectedValues(text, some))) return undefined
    // promise: inject-reversible
    return cutOut(changed, targets) === text ? changed : undefined
  })
  for (const plan of plans) {
    if (good.includes(plan)) plan.outcome.done = true
    else fail(plan.outcome, 'uninject could not restore its text byte for byte')
  }
  return result ?? text
}

/**
 * Changes all documents at once. If the result is wrong, only those that are right by themselves.
 */
function changeAll<Item>(
  items: readonly Item[],
  attempt: (some: readonly Item[]) => string | undefined,
): { result: string | undefined; good: readonly Item[] } {
  const tried = (some: readonly Item[]): string | undefined => {
    try {
      return attempt(some)
    } catch {
      return undefined
    }
  }
  const whole = tried(items)
  if (whole !== undefined) return { result: whole, good: items }
  const good = items.filter((item) => tried([item]) !== undefined)
  const result = good.length === 0 ? undefined : tried(good)
  return { result, good: result === undefined ? [] : good }
}

/** What every document must become: unchanged, except for these pods. */
function expectedValues(
  text: string,
  changes: readonly { target: Target; apply: (pod: Pod) => void }[],
): unknown[] {
  const values = valuesIn(text)
  for (const { target, apply } of changes) apply(podIn(values[target.document], target))
  return values
}

const valuesIn = (text: string): unknown[] =>
  readDocuments(text).map((document) =>
    document.errors.length > 0 ? undefined : readValue(document),
  )

const podIn = (value: unknown, { path }: Target): Pod =>
  path.reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], value) as Pod

function insertionsFor(
  text: string,
  { node, above }: Target,
  { labels, container, volumes, env }: Additions,
): Insertion[] {
  const { template, specAbove, spec, containers } = partsOf(node)
  const apps = pairIn(spec, 'containers')!
  const inserter = new Inserter(
    text,
    isSeq(apps.value) && apps.value.flow !== true
      ? columnOf(text, apps.value) - columnOf(text, apps.key)
      : 0,
  )
  const metadata = pairIn(template, 'metadata')
  for (const label of Object.entries(labels)) {
    if (metadata === undefined)
      inserter.pair(template, above, 'metadata', { labels: Object.fromEntries([label]) }, true)
    else if (isMap(metadata.value)) inserter.entry(metadata.value, metadata, 'labels', label)
    else throw new CannotEdit('its metadata is not a map in the text')
  }
  inserter.items(spec, specAbove, 'initContainers', [container])
  inserter.items(spec, specAbove, 'volumes', volumes)
  for (const [index, map] of containers.entries())
    inserter.items(map, undefined, 'env', env[index]!)
  return inserter.insertions
}

const columnOf = (text: string, node: unknown): number =>
  startOf(node) - lineStart(text, startOf(node))

/** The changed nodes, as they stand in the text. */
function partsOf(node: YAMLMap | undefined): {
  template: YAMLMap
  specAbove: Pair
  spec: YAMLMap
  containers: YAMLMap[]
} {
  const specAbove = node === undefined ? undefined : pairIn(node, 'spec')
  const spec = specAbove?.value
  if (node === undefined || specAbove === undefined || !isMap(spec)) throw new CannotEdit(SHARED)
  const containers = ['initContainers', 'containers'].flatMap((key) => {
    const list = pairIn(spec, key)?.value
    if (isAlias(list)) throw new CannotEdit(SHARED)
    return isSeq(list) ? list.items : []
  })
  if (!containers.every((container) => isMap(container))) throw new CannotEdit(SHARED)
  return { template: node, specAbove, spec, containers }
}
const SHARED = 'part of it is an alias or a merge key'

export function uninjectText(text: string): Filtered {
  const outcomes: Outcome[] = []
  const injected: { outcome: Outcome; target: Target; apply: (pod: Pod) => void }[] = []
  for (const { document, name, reason, unreadable, target } of findPods(readDocuments(text))) {
    const outcome: Outcome = {
      document: document + 1,
      name,
      done: false,
      ...(unreadable ? { failed: true } : {}),
    }
    outcomes.push(outcome)
    if (target === undefined) outcome.reason = reason!
    else if (!allContainers(target.pod).some((container) => container.name === CONTAINER))
      outcome.reason = `it has no container ${CONTAINER}`
    else injected.push({ outcome, target, apply: remove })
  }
  const { result, good } = changeAll(injected, (some) => {
    const targets = some.map(({ target }) => target)
    const changed = cutOut(text, targets)
    // promise: uninject-exact
    return isDeepStrictEqual(dense(valuesIn(changed)), dense(expectedValues(text, some)))
      ? changed
      : undefined
  })
  for (const item of injected) {
    if (good.includes(item)) item.outcome.done = true
    else fail(item.outcome, 'removing the sidecar would change other text')
  }
  return { text: result ?? text, outcomes }
}

/** Without empty lists. Whether an emptied list stays is a matter of the text. */
const dense = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(dense)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, dense(inner)])
      .filter(([, inner]) => !isEmpty(inner)),
  )
}
const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (typeof value === 'object' && Object.keys(value).length === 0)

/** The text without the sidecar in these pods, which have it. */
function cutOut(text: string, targets: readonly Target[]): string {
  const documents = readDocuments(text)
  const cutter = new Cutter(text)
  for (const { document, path } of targets) {
    const { template, spec, containers } = partsOf(
      nodeAt(documents[document]?.contents ?? null, path).node,
    )
    const metadata = pairIn(template, 'metadata')?.value
    const [label] = Object.keys(INJECTED)
    const only =
      isMap(metadata) &&
      metadata.items.length === 1 &&
      isMap(pairIn(metadata, 'labels')?.value) &&
      (pairIn(metadata, 'labels')!.value as YAMLMap).items.length === 1
    if (!(only && cutter.wholePair(template, 'metadata')) && isMap(metadata))
      cutter.entry(metadata, 'labels', label!)
    for (const key of ['initContainers', 'containers'])
      cutter.items(spec, key, (item) => nameOf(item) === CONTAINER)
    cutter.items(spec, 'volumes', (item) => isOurVolume(nameOf(item)))
    for (const container of containers)
      if (container.get('name') !== CONTAINER)
        cutter.items(container, 'env', (item) => isOurVariable(item as EnvLike))
  }
  return cutter.result()
}

type EnvLike = { name?: unknown; value?: unknown }
const nameOf = (item: unknown): unknown => (item as { name?: unknown }).name

function attempt(outcome: Outcome, act: () => void): void {
  try {
    act()
  } catch (error) {
    fail(
      outcome,
      error instanceof CannotEdit ? error.message : 'its text has a form that cannot be edited',
    )
  }
}

function fail(outcome: Outcome, reason: string): void {
  outcome.done = false
  outcome.failed = true
  outcome.reason = reason
}
