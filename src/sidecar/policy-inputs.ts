// Watches the files of which a policy runtime is made. Files of one volume change together, so all
// of them are read again when one changes: a new policy never meets the overlay of the old one.
import type { Config } from '../support/settings.ts'
import { type Watch, watchFile } from '../support/watch.ts'

export interface PolicyInputs {
  /** As the files were read last. `undefined` if a file cannot be read or is not set. */
  read(): {
    policy: string | undefined
    facts: string | undefined
    overlay: string | undefined
  }
  /** One more file whose changes count. */
  watch(path: string): Watch
  stop(): void
}

export function watchInputs(
  { policy, policyText, factsFile, policyOverlay }: Config,
  onChange: () => void,
): PolicyInputs {
  const watches: Watch[] = []
  let isReading = false
  const changed = (): void => {
    if (isReading) return
    isReading = true
    for (const watch of watches) watch.look()
    isReading = false
    onChange()
  }
  const watch = (path: string): Watch => {
    const added = watchFile(path, changed)
    watches.push(added)
    return added
  }
  const watchIfSet = (path: string | undefined): Watch | undefined =>
    path === undefined ? undefined : watch(path)

  const policyFile = watchIfSet(policy)
  const facts = watchIfSet(factsFile)
  const overlay = watchIfSet(policyOverlay)
  return {
    read: () => ({
      policy: policyFile === undefined ? policyText : policyFile.current(),
      facts: facts?.current(),
      overlay: overlay?.current(),
    }),
    watch,
    stop: () => {
      for (const one of watches) one.stop()
    },
  }
}
