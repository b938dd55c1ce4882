// Computes the QoS class of a pod as the API server does, so that the sidecar's resources keep it.
// Quantities may have any form that Kubernetes reads (`1`, `1000m`, `0.5Gi`). A limit without a
// request is a request of the same size.
import type { Qos } from './container.ts'

export interface Resourced {
  resources?: { requests?: Record<string, unknown>; limits?: Record<string, unknown> } | null
}

const SUFFIXES: Record<string, [bigint, bigint]> = {
  n: [1n, 1_000_000_000n],
  u: [1n, 1_000_000n],
  m: [1n, 1_000n],
  '': [1n, 1n],
  k: [10n ** 3n, 1n],
  M: [10n ** 6n, 1n],
  G: [10n ** 9n, 1n],
  T: [10n ** 12n, 1n],
  P: [10n ** 15n, 1n],
  E: [10n ** 18n, 1n],
  Ki: [2n ** 10n, 1n],
  Mi: [2n ** 20n, 1n],
  Gi: [2n ** 30n, 1n],
  Ti: [2n ** 40n, 1n],
  Pi: [2n ** 50n, 1n],
  Ei: [2n ** 60n, 1n],
}
const QUANTITY = /^\+?(\d{0,18})(?:\.(\d{0,9}))?(?:([eE][+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)$/
const NANO = 10n ** 9n

/** A quantity in units of 10⁻¹⁸; `undefined` if it is none. */
export function quantity(text: unknown): bigint | undefined {
  const match = QUANTITY.exec(String(text))
  const [, whole = '', fraction = '', exponent, suffix = ''] = match ?? []
  if (match === null || whole + fraction === '') return undefined
  const nanos = BigInt(`${whole}${fraction.padEnd(9, '0')}`)
  if (exponent !== undefined) {
    const power = Number(exponent.slice(1))
    return power < 0 ? (nanos * NANO) / 10n ** BigInt(-power) : nanos * NANO * 10n ** BigInt(power)
  }
  const [times, over] = SUFFIXES[suffix]!
  return (nanos * NANO * times) / over
}

const KINDS = ['cpu', 'memory'] as const

/** `spec.containers` and `spec.initContainers` count together, as in Kubernetes. */
export function qosOf(spec: { resources?: unknown }, containers: readonly Resourced[]): Qos {
  if (spec.resources !== undefined && spec.resources !== null) return 'podLevel'
  const asked = containers.map(({ resources }) => ({
    requests: { ...resources?.limits, ...resources?.requests },
    limits: resources?.limits ?? {},
  }))
  const isZero = (amount: unknown): boolean => quantity(amount ?? 0) === 0n
  if (
    asked.every(({ requests, limits }) =>
      KINDS.every((kind) => isZero(requests[kind]) && isZero(limits[kind])),
    )
  )
    return 'bestEffort'
  const equal = (a: unknown, b: unknown): boolean =>
    a !== undefined && quantity(a) !== undefined && quantity(a) === quantity(b)
  return asked.every(({ requests, limits }) =>
    KINDS.every((kind) => equal(limits[kind], requests[kind])),
  )
    ? 'guaranteed'
    : 'burstable'
}
