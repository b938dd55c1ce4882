// The file `policy`: the format of the data directory, and the digest of the policy under which
// everything in queue/ and sending/ was made. Reports of another policy, or in another format, are
// never sent.
import { join } from 'node:path'
import { type Disk, readIfThere } from './disk.ts'
import { replaceFile } from './replace-file.ts'

/** Raised when a version could misread what the version before it wrote. */
const FORMAT = '1'

/**
 * `undefined` where the file is missing or names another format. Then nothing in the directory can
 * be read with certainty.
 */
export async function readPolicyDigest(disk: Disk, folder: string): Promise<string | undefined> {
  const text = (await readIfThere(disk, join(folder, 'policy')))?.toString('utf8')
  const [format, digest, ...rest] = text?.trimEnd().split(' ') ?? []
  return format === FORMAT && rest.length === 0 ? digest : undefined
}

/** Durable when it resolves. Everything made under the old policy must be gone, durably, before. */
export async function writePolicyDigest(disk: Disk, folder: string, digest: string): Promise<void> {
  await replaceFile(disk, join(folder, 'policy'), Buffer.from(`${FORMAT} ${digest}\n`))
}
