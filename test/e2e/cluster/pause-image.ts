// The image of every pod's first container, and how any small image of these tests is made.
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { commitImage, withStore } from '../../../deploy/image/commit.ts'
import { binaries } from './binaries.ts'

export const PAUSE = 'localhost/pause:1'

export function buildPause(folder: string): void {
  const rootfs = join(folder, 'rootfs/pause')
  mkdirSync(rootfs, { recursive: true })
  copyFileSync(binaries('pause').pause, join(rootfs, 'pause'))
  withStore((store) =>
    commitImage(store, {
      name: PAUSE,
      archive: join(folder, 'pause.tar'),
      copy: rootfs,
      entrypoint: ['/pause'],
    }),
  )
}
