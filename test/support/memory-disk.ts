// A disk in memory that records every operation of the queue. It can be rebuilt in every state that
// a power loss may leave. Data is durable after a sync of its file, a name after a sync of its
// folder. Before that, each write (whole, in part, as zeros), creation, rename and unlink may be
// kept or lost, in any order.
import { basename, dirname } from 'node:path'
import type { Disk } from '../../src/queue/queue.ts'

export type Operation =
  | { kind: 'write'; inode: number; at: number; bytes: Buffer }
  | { kind: 'truncate'; inode: number; length: number }
  | { kind: 'sync' | 'sync-failed'; inode: number }
  /** A name is created, renamed within its folder (`from` goes at once), or from another one. */
  | { kind: 'name'; path: string; inode: number; from?: string }
  | { kind: 'unname'; path: string; inode: number }
  | { kind: 'sync-folder'; path: string }
  | { kind: 'event'; event: string; ids: readonly string[] }

export type Fate = 'kept' | 'lost' | 'torn' | 'zeros' | 'hole'

const WRITE_FATES: readonly Fate[] = ['lost', 'kept', 'torn', 'zeros', 'hole']
const OTHER_FATES: readonly Fate[] = ['lost', 'kept']

const failure = (code: string): Error => Object.assign(new Error(code), { code })

export class MemoryDisk implements Disk {
  readonly operations: Operation[] = []
  readonly #names = new Map<string, number>()
  readonly #data = new Map<number, Buffer>()
  #lastInode = 0
  /** The next operation of this kind fails with half of its effect. */
  failNext: 'write' | 'sync' | undefined

  /** Marks a moment of the test between operations. */
  event(event: string, ids: readonly string[] = []): void {
    this.operations.push({ kind: 'event', event, ids })
  }

  #do(operation: Operation, fate: Fate = 'kept'): void {
    this.operations.push(operation)
    if (fate === 'lost') return
    if (operation.kind === 'write') {
      const { inode, at, bytes } = operation
      const old = this.#data.get(inode) ?? Buffer.alloc(0)
      const part = fate === 'torn' ? bytes.subarray(0, bytes.length >> 1) : Buffer.from(bytes)
      if (fate === 'zeros') part.fill(0)
      if (fate === 'hole') part.fill(0, part.length >> 2, part.length >> 1)
      const grown = Buffer.alloc(Math.max(old.length, at + part.length))
      old.copy(grown)
      part.copy(grown, at)
      this.#data.set(inode, grown)
    } else if (operation.kind === 'truncate') {
      const old = this.#data.get(operation.inode) ?? Buffer.alloc(0)
      this.#data.set(
        operation.inode,
        Buffer.concat([old.subarray(0, operation.length)], Math.max(0, operation.length)),
      )
    } else if (operation.kind === 'name') {
      this.#names.set(operation.path, operation.inode)
      if (operation.from !== undefined && this.#names.get(operation.from) === operation.inode)
        this.#names.delete(operation.from)
    } else if (operation.kind === 'unname' && this.#names.get(operation.path) === operation.inode)
      this.#names.delete(operation.path)
  }

  /** The disk after these operations, each with its fate. It records later ones behind them. */
  static replay(
    operations: readonly Operation[],
    fates: ReadonlyMap<number, Fate> = new Map(),
  ): MemoryDisk {
    const disk = new MemoryDisk()
    for (const [index, operation] of operations.entries()) {
      if ('inode' in operation) disk.#lastInode = Math.max(disk.#lastInode, operation.inode)
      disk.#do(operation, fates.get(index))
    }
    return disk
  }

  #find(path: string): number {
    const inode = this.#names.get(path)
    if (inode === undefined) throw failure('ENOENT')
    return inode
  }

  makeFolder = async (): Promise<void> => {}
  close = async (): Promise<void> => {}
  setModifiedAt = async (): Promise<void> => {}
  lock = () => (): void => {}
  free = async (): Promise<number> => Number.MAX_SAFE_INTEGER
  list = async (path: string): Promise<string[]> =>
    [...this.#names.keys()]
      .filter((name) => dirname(name) === path)
      .map((name) => basename(name))
      .sort()
  syncFolder = async (path: string): Promise<void> => this.#do({ kind: 'sync-folder', path })
  create = async (path: string): Promise<number> => {
    if (this.#names.has(path)) throw failure('EEXIST')
    const inode = ++this.#lastInode
    this.#do({ kind: 'name', path, inode })
    return inode
  }
  openFile = async (path: string): Promise<number> => this.#find(path)
  write = async (inode: number, bytes: Uint8Array, at: number): Promise<void> => {
    const fails = this.#failing('write')
    this.#do({
      kind: 'write',
      inode,
      at,
      bytes: Buffer.from(fails ? bytes.subarray(0, bytes.length - 3) : bytes),
    })
    if (fails) throw failure('ENOSPC')
  }
  sync = async (inode: number): Promise<void> => {
    const fails = this.#failing('sync')
    this.#do({ kind: fails ? 'sync-failed' : 'sync', inode })
    if (fails) throw failure('EIO')
  }
  truncate = async (inode: number, length: number): Promise<void> =>
    this.#do({ kind: 'truncate', inode, length })
  read = async (path: string): Promise<Buffer> =>
    Buffer.from(this.#data.get(this.#find(path)) ?? [])
  rename = async (from: string, to: string): Promise<void> => {
    const inode = this.#find(from)
    if (dirname(from) === dirname(to)) return this.#do({ kind: 'name', path: to, inode, from })
    this.#do({ kind: 'name', path: to, inode })
    this.#do({ kind: 'unname', path: from, inode })
  }
  unlink = async (path: string): Promise<void> =>
    this.#do({ kind: 'unname', path, inode: this.#find(path) })
  stat = async (path: string): Promise<{ bytes: number; modifiedAt: number }> => ({
    bytes: (await this.read(path)).length,
    modifiedAt: 0,
  })

  #failing(kind: 'write' | 'sync'): boolean {
    if (this.failNext !== kind) return false
    this.failNext = undefined
    return true
  }
}

/** Indexes of the operations that a power loss now may undo. */
function unsafe(operations: readonly Operation[]): number[] {
  const found: number[] = []
  const files = new Set<number>()
  const folders = new Set<string>()
  for (let index = operations.length - 1; index >= 0; index--) {
    const operation = operations[index]!
    if (operation.kind === 'sync') files.add(operation.inode)
    // A later sync does not repair a failed one: the kernel no longer marks the data as dirty.
    if (operation.kind === 'sync-failed') files.delete(operation.inode)
    if (operation.kind === 'sync-folder') folders.add(operation.path)
    if (
      (operation.kind === 'write' || operation.kind === 'truncate') &&
      !files.has(operation.inode)
    )
      found.push(index)
    if (
      (operation.kind === 'name' || operation.kind === 'unname') &&
      !folders.has(dirname(operation.path))
    )
      found.push(index)
  }
  return found
}

/**
 * All combined fates of the unsafe operations, or `limit` of them by `random` (0 to 1). All lost
 * and all kept are always included.
 */
export function powerLosses(
  operations: readonly Operation[],
  limit: number,
  random: () => number,
): Map<number, Fate>[] {
  const open = unsafe(operations).map((index) => ({
    index,
    fates: operations[index]!.kind === 'write' ? WRITE_FATES : OTHER_FATES,
  }))
  const combinations = open.reduce((product, { fates }) => product * fates.length, 1)
  const pick = (choose: (fates: readonly Fate[], place: number) => Fate): Map<number, Fate> =>
    new Map(open.map(({ index, fates }, place) => [index, choose(fates, place)]))
  if (combinations <= limit) {
    return Array.from({ length: combinations }, (_, number) => {
      let rest = number
      return pick((fates) => {
        const fate = fates[rest % fates.length]!
        rest = Math.floor(rest / fates.length)
        return fate
      })
    })
  }
  const sampled = Array.from({ length: limit - 2 }, () =>
    pick((fates) => fates[Math.floor(random() * fates.length)]!),
  )
  return [pick(() => 'lost'), pick(() => 'kept'), ...sampled]
}
