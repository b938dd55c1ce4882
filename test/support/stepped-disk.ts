// A disk whose every operation waits for a step of the test. Between two steps, switches may change
// or the process may be killed. A killed process leaves exactly the operations that it has done.
import { mkdirSync } from 'node:fs'
import type { Disk } from '../../src/queue/queue.ts'
import type { MemoryDisk } from './memory-disk.ts'

export class SteppedDisk implements Disk {
  readonly #disk: MemoryDisk
  #waiting: (() => Promise<void>)[] = []
  #dead = false
  /** The next operation fails, before or after it has had its effect. */
  failNext: 'before' | 'after' | undefined

  constructor(disk: MemoryDisk) {
    this.#disk = disk
  }

  get waiting(): number {
    return this.#waiting.length
  }

  async step(): Promise<void> {
    await this.#waiting.shift()?.()
  }

  /** The process is killed. Waiting operations never happen. */
  kill(): void {
    this.#dead = true
    this.#waiting = []
  }

  #later<T>(operation: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return
      this.#waiting.push(async () => {
        const fails = this.failNext
        this.failNext = undefined
        try {
          const result = fails === 'before' ? undefined : await operation()
          if (fails === undefined) resolve(result as T)
          else reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  /** Also makes the real folder, because the epoch is a real file in it. */
  makeFolder = (path: string) => this.#later(async () => void mkdirSync(path, { recursive: true }))
  lock = () => () => undefined
  free = () => this.#disk.free()
  list = (path: string) => this.#later(() => this.#disk.list(path))
  syncFolder = (path: string) => this.#later(() => this.#disk.syncFolder(path))
  create = (path: string) => this.#later(() => this.#disk.create(path))
  openFile = (path: string) => this.#later(() => this.#disk.openFile(path))
  write = (file: number, bytes: Uint8Array, at: number) =>
    this.#later(() => this.#disk.write(file, bytes, at))
  sync = (file: number) => this.#later(() => this.#disk.sync(file))
  truncate = (file: number, length: number) => this.#later(() => this.#disk.truncate(file, length))
  close = () => this.#later(() => this.#disk.close())
  read = (path: string) => this.#later(() => this.#disk.read(path))
  rename = (from: string, to: string) => this.#later(() => this.#disk.rename(from, to))
  unlink = (path: string) => this.#later(() => this.#disk.unlink(path))
  stat = (path: string) => this.#later(() => this.#disk.stat(path))
  setModifiedAt = () => this.#later(() => this.#disk.setModifiedAt())
}
