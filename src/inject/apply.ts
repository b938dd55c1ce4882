// Adds the sidecar to a pod as data and removes it again. The text filter is checked against this.
import {
  APP_ENV,
  CONTAINER,
  type Container,
  type EnvVar,
  INJECTED,
  type Options,
  OTEL_ENV,
  sidecar,
  type Traits,
  volumes,
} from './container.ts'
import type { AppContainer, Pod } from './decide.ts'

/** Everything that is added to one pod. */
export interface Additions {
  labels: Readonly<Record<string, string>>
  container: Container
  volumes: ReturnType<typeof volumes>
  /** By container, in the order of `allContainers`. */
  env: readonly (readonly EnvVar[])[]
}

export function additionsTo(
  all: readonly AppContainer[],
  options: Options,
  { traits, otel }: { traits: Traits; otel: boolean },
): Additions {
  return {
    labels: INJECTED,
    container: sidecar(options, traits),
    volumes: volumes(options),
    // promise: inject-endpoint-kept
    env: all.map((container) => [
      ...(has(container, APP_ENV.name) ? [] : [APP_ENV]),
      ...(otel && mayHaveOtel(container) ? OTEL_ENV : []),
    ]),
  }
}

const has = ({ env }: AppContainer, variable: string): boolean =>
  env?.some(({ name }) => name === variable) ?? false

/** The variables of `envFrom` are unknown here, and one of `env` would override them. */
const mayHaveOtel = ({ env, envFrom }: AppContainer): boolean =>
  (envFrom?.length ?? 0) === 0 &&
  !(env?.some(({ name }) => String(name).startsWith('OTEL_EXPORTER_OTLP_')) ?? false)

/**
 * Changes `pod`. Everything is put in front, so that an application's variables may refer to ours.
 */
export function add(pod: Pod, { labels, container, volumes, env }: Additions): void {
  const { spec } = pod
  const inits = spec.initContainers ?? []
  for (const [index, app] of [...inits, ...spec.containers].entries()) {
    const mine = env[index]!
    if (mine.length > 0) app.env = [...mine, ...(app.env ?? [])]
  }
  pod.metadata = { ...pod.metadata, labels: { ...labels, ...pod.metadata?.labels } }
  spec.initContainers = [container, ...inits]
  spec.volumes = [...volumes, ...(spec.volumes ?? [])]
}

/** Changes `pod`: removes the sidecar, wherever it stands, and all that came with it. */
export function remove(pod: Pod): void {
  const { spec } = pod
  const apps = (list: AppContainer[]): AppContainer[] =>
    list.filter(({ name }) => name !== CONTAINER)
  spec.containers = apps(spec.containers)
  if (spec.initContainers) spec.initContainers = apps(spec.initContainers)
  for (const app of [...(spec.initContainers ?? []), ...spec.containers])
    if (app.env) app.env = app.env.filter((item) => !isOurVariable(item))
  if (spec.volumes) spec.volumes = spec.volumes.filter(({ name }) => !isOurVolume(name))
  if (pod.metadata?.labels)
    for (const label of Object.keys(INJECTED)) delete pod.metadata.labels[label]
}

export const isOurVolume = (name: unknown): boolean => String(name).startsWith(`${CONTAINER}-`)
export const isOurVariable = ({ name, value }: { name?: unknown; value?: unknown }): boolean =>
  [APP_ENV, ...OTEL_ENV].some((ours) => ours.name === name && ours.value === value)
