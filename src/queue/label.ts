// The file `policy`: the digest of the policy that made everything in queue/ and sending/. What was made under another
// one never leaves.
import { join } from 'node:path'
import { type Disk, readIfThere, unlinkIfThere } from './disk.ts'

export async function readLabel(disk: Disk, folder: string): Promise<string | undefined> {
  return (await readIfThere(disk, join(folder, 'policy')))?.toString('utf8').trimEnd()
}

/** Durable when it resolves; everything that was made under the old label must be gone, durably, before. */
export async function writeLabel(disk: Disk, folder: string, label: string): Promise<void> {
  const temporary = join(folder, 'policy.tmp')
  await unlinkIfThere(disk, temporary)
  const file = await disk.create(temporary)
  try {
    await disk.write(file, Buffer.from(`${label}\n`), 0)
    await disk.sync(file)
  } finally {
    await disk.close(file)
  }
  await disk.rename(temporary, join(folder, 'policy'))
  await disk.syncFolder(folder)
}
