// Replaces a file as a whole. After a kill or power loss, either the old file or all of the new one
// is there.
import { dirname } from 'node:path'
import { type Disk, unlinkIfThere } from './disk.ts'

export interface ReplaceOptions {
  modifiedAt?: number
  /** Asked right before the rename. On false, nothing is replaced. */
  allowed?: () => boolean
}

/** Durable when it resolves with true. */
export async function replaceFile(
  disk: Disk,
  path: string,
  content: Uint8Array,
  { modifiedAt, allowed = () => true }: ReplaceOptions = {},
): Promise<boolean> {
  const temporary = `${path}.tmp`
  await unlinkIfThere(disk, temporary)
  const file = await disk.create(temporary)
  try {
    await disk.write(file, content, 0)
    // promise: body-synced
    await disk.sync(file)
  } finally {
    await disk.close(file)
  }
  if (modifiedAt !== undefined) await disk.setModifiedAt(temporary, modifiedAt)
  // promise: consent-before-commit
  if (!allowed()) {
    await disk.unlink(temporary)
    return false
  }
  await disk.rename(temporary, path)
  // promise: sending-name-synced
  await disk.syncFolder(dirname(path))
  return true
}
