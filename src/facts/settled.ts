// Waits until the sidecar in the job's pod has settled the report, because the sidecar's queue ends
// with the pod. It asks only the sidecar's page on loopback.

/** The part of the sidecar's status that is read (page/view.ts). */
export interface SidecarStatus {
  mode: 'off' | 'local' | 'on'
  nextSendAt: number | undefined
  waiting: readonly { place: string; name: string }[]
  sent: readonly { sequence: number; result: string | undefined }[]
  missingFacts: readonly { name: string }[]
}

/**
 * `lost`: the sidecar dropped it and counted why. `late`: it will not be sent in time. `silent`:
 * the sidecar does not answer.
 */
export type Settled = 'delivered' | 'refused' | 'local' | 'off' | 'lost' | 'late' | 'silent'

export interface Waiting {
  status: () => Promise<SidecarStatus | undefined>
  /** The first file that can hold the report: `nextSequence` of the status before it. */
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

/** The file that takes the next record. It may not exist yet. */
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

/** The whole report lies in these files, and its end in the last one. */
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
