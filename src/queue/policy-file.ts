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
export async function readPolicyDigest(disk: Disk, folder: string): Promise<string | undefined> {
  const text = (await readIfThere(disk, join(folder, 'policy')))?.toString('utf8')
  const [format, digest, ...rest] = text?.trimEnd().split(' ') ?? []
  return format === FORMAT && rest.length === 0 ? digest : undefined
}

/**
 * Durable when it resolves; everything that was made under the old digest must be gone, durably,
 * before.
 */
export async function writePolicyDigest(disk: Disk, folder: string, digest: string): Promise<void> {
  const temporary = join(folder, 'policy.tmp')
  await unlinkIfThere(disk, temporary)
  const file = await disk.create(temporary)
  try {
    await disk.write(file, Buffer.from(`${FORMAT} ${digest}\n`), 0)
    await disk.sync(file)
  } finally {
    await disk.close(file)
  }
  await disk.rename(temporary, join(folder, 'policy'))
  await disk.syncFolder(folder)
}
