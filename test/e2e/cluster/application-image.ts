// The image of the tests' application: Node as in the sidecar's image, and the application in one
// file.
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { commitImage, withStore } from '../../../deploy/image/commit.ts'

export const APPLICATION = 'localhost/application:1'

/** `folder` holds the images of the sidecar already. */
export async function buildApplication(folder: string): Promise<void> {
  const rootfs = join(folder, 'rootfs/application')
  mkdirSync(rootfs, { recursive: true })
  for (const part of ['lib', 'lib64', 'etc', 'usr/bin/node'])
    cpSync(join(folder, 'rootfs/usage-sidecar', part), join(rootfs, part), { recursive: true })
  await build({
    entryPoints: [join(import.meta.dirname, 'application.ts')],
    outfile: join(rootfs, 'application.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // Parts of the SDK are CommonJS and ask for `require`.
    banner: {
      js: "import { createRequire as require_ } from 'node:module'; const require = require_(import.meta.url);",
    },
    logLevel: 'warning',
  })
  const archive = join(folder, 'application.tar')
  const entrypoint = ['/usr/bin/node', '/application.mjs']
  withStore((store) => commitImage(store, { name: APPLICATION, archive, copy: rootfs, entrypoint }))
}
