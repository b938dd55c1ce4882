// Waits until the sidecar in the job's own pod has settled the report: what the sidecar keeps goes
// with the pod. It asks the sidecar's loopback page and nobody else.

/** The part of the sidecar's status that is looked at (page/view.ts). */
export interface SidecarStatus {
  mode: 'off' | 'local' | 'on'
  nextSendAt: number | undefined
  waiting: readonly { place: string; name: string }[]
  sent: readonly { sequence: number; result: string | undefined }[]
  missingFacts: readonly { name: string }[]
}

/**
 * `lost`: dropped by the sidecar, which counts why. `late`: it will not be sent in time. `silent`:
 * it does not answer.
 */
export type Settled = 'delivered' | 'refused' | 'local' | 'off' | 'lost' | 'late' | 'silent'

export interface Waiting {
  status: () => Promise<SidecarStatus | undefined>
  /** The first file in which the report can be: `nextSequence` of the status before it. */
  first: number
  deadline: number
  pause: () => Promise<unknown>
  stopped: () => boolean
}

const sequenceOf = (name: string): number => Number(/^\d+/.exec(name)?.[0] ?? 0)

const lastSequence = ({ waiting, sent }: SidecarStatus): number =>
  Math.max(
    0,
    ...waiting.map(({ name }) => sequenceOf(name)),
    ...sent.map(({ sequence }) => sequence),
  )

/** Of the file that takes what comes next: one that grows still, or one that is not there yet. */
export function nextSequence(status: SidecarStatus): number {
  const last = lastSequence(status)
  return status.waiting.some(({ place, name }) => place === 'queue' && sequenceOf(name) === last)
    ? last
    : last + 1
}

export async function untilSettled({
  status,
  first,
  deadline,
  pause,
  stopped,
}: Waiting): Promise<Settled> {
  let last: number | undefined
  let silent = 0
  for (;;) {
    const now = await status()
    if (now === undefined) {
      if (++silent > 10) return 'silent'
    } else {
      silent = 0
      if (now.mode !== 'on') return now.mode
      last ??= lastSequence(now)
      const ours = (sequence: number): boolean => sequence >= first && sequence <= last!
      if (!now.waiting.some(({ name }) => ours(sequenceOf(name))))
        return verdict(now.sent, ours, last)
      if (now.nextSendAt !== undefined && now.nextSendAt > deadline) return 'late'
    }
    if (Date.now() >= deadline || stopped()) return 'late'
    await pause()
  }
}

/** All of the report is in these files, and its end in the last one. */
function verdict(
  sent: SidecarStatus['sent'],
  ours: (sequence: number) => boolean,
  last: number,
): Settled {
  if (sent.some(({ sequence, result }) => ours(sequence) && result === 'refused')) return 'refused'
  return sent.some(
    ({ sequence, result }) => ours(sequence) && sequence === last && result === 'delivered',
  )
    ? 'delivered'
    : 'lost'
}
