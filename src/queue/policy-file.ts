// The file `policy`: the format of the folder, and the digest of the policy that made everything in
// queue/ and sending/. What was made under another policy, or written by a version with another
// format, never leaves.
import { join } from 'node:path'
import { type Disk, readIfThere, unlinkIfThere } from './disk.ts'

/** Raised when a version could misread what the one before it wrote. */
const FORMAT = '1'

/**
 * `undefined` where there is none, or one of another format: then nothing in the folder can be read
 * with certainty.
 */
export async function readLabel(disk: Disk, folder: string): Promise<string | undefined> {
  const text = (await readIfThere(disk, join(folder, 'policy')))?.toString('utf8')
  const [format, label, ...rest] = text?.trimEnd().split(' ') ?? []
  return format === FORMAT && rest.length === 0 ? label : undefined
}

/**
 * Durable when it resolves; everything that was made under the old label must be gone, durably,
 * before.
 */
export async function writeLabel(disk: Disk, folder: string, label: string): Promise<void> {
  const temporary = join(folder, 'policy.tmp')
  await unlinkIfThere(disk, temporary)
  const file = await disk.create(temporary)
  try {
    await disk.write(file, Buffer.from(`${FORMAT} ${label}\n`), 0)
    await disk.sync(file)
  } finally {
    await disk.close(file)
  }
  await disk.rename(temporary, join(folder, 'policy'))
  await disk.syncFolder(folder)
}
