// Which policy the queue serves. Everything that another policy made is dropped, durably, before
// the file `policy` names the new one.
import { join } from 'node:path'
import type { ActiveFile } from './active-file.ts'
import type { PendingOperation } from './appends.ts'
import type { Disk } from './disk.ts'
import type { FileIndex } from './file-index.ts'
import { writePolicyDigest } from './policy-file.ts'

export interface PolicySwitchOptions {
  disk: Disk
  folder: string
  activeFile: ActiveFile
  fileIndex: FileIndex
  pendingOperations: Set<PendingOperation>
}

export class PolicySwitch {
  readonly #options: PolicySwitchOptions
  #digest: string | undefined

  /** `digest`: of the policy under which everything in the directory was made. */
  constructor(options: PolicySwitchOptions, digest: string | undefined) {
    this.#options = options
    this.#digest = digest
  }

  get digest(): string | undefined {
    return this.#digest
  }

  async switchTo(digest: string): Promise<void> {
    const { disk, folder, activeFile, fileIndex, pendingOperations } = this.#options
    pendingOperations.add('switchPolicy')
    await activeFile.seal()
    for (const file of fileIndex.files.values()) await fileIndex.drop(file, 'policy')
    await disk.syncFolder(join(folder, 'queue'))
    await disk.syncFolder(join(folder, 'sending'))
    await writePolicyDigest(disk, folder, digest)
    this.#digest = digest
    pendingOperations.delete('switchPolicy')
  }
}
