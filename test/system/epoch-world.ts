// The world of epochs.test.ts: switches that change whether or not anyone reads them, an
// application, a disk that works step by step, a collector, and the mode controller, which is
// killed and started again. The world knows in which epoch each record was accepted, and checks
// every request.
import assert from 'node:assert/strict'
import fs, { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock } from 'node:test'
import zlib, { gunzipSync, gzipSync, type InputType, type ZlibOptions } from 'node:zlib'
import { sha256Of } from '../../src/queue/body.ts'
import { wipeFiles } from '../../src/queue/file-index.ts'
import { openQueue } from '../../src/queue/queue.ts'
import type { Answer } from '../../src/send/post.ts'
import { Sender } from '../../src/send/send.ts'
import { ModeController } from '../../src/sidecar/mode-controller.ts'
import type { DesiredState } from '../../src/sidecar/mode-state.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'
import type { Mode } from '../../src/support/mode.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { idsIn, idsOf, queueOptions, recordOf } from '../support/queue-records.ts'
import { SteppedDisk } from '../support/stepped-disk.ts'

export const FIRST_SEND_DELAY = 4_000
const log = createLog('error', () => undefined)

/** Counts events of all worlds, so that the test can see that each happened. */
export const seen = {
  delivered: 0,
  deliveredAfterKill: 0,
  cancelled: 0,
  killedInEpoch: 0,
  discarded: 0,
  wiped: 0,
  renewed: 0,
}

interface Given {
  /** The number of the unbroken time of one mode, as the controller has seen it. */
  time: number
  mode: Mode
  policy: string | undefined
  /**
   * The number of observed policy changes. Records of the old policy may be dropped, also if the
   * new one was in force only for a moment.
   */
  era: number
  processNumber: number
  acknowledged: boolean
}

interface Post {
  ids: string[]
  signal: AbortSignal
  answer: (answer: Answer) => void
}

/** Compression on other threads would end at random moments. */
type Done = (error: null, result: Buffer) => void
mock.method(zlib, 'gzip', (bytes: InputType, options: ZlibOptions, done: Done) =>
  done(null, gzipSync(bytes, options)),
)
mock.method(zlib, 'gunzip', (bytes: InputType, done: Done) => done(null, gunzipSync(bytes)))
syncBuiltinESMExports()

let current: World | undefined
for (const name of ['openSync', 'renameSync', 'unlinkSync'] as const) {
  const original = fs[name] as (...args: unknown[]) => unknown
  mock.method(fs, name, (path: unknown, ...rest: unknown[]) => {
    if (current !== undefined && String(path).startsWith(current.folder))
      current.beforeEpochOperation()
    return original(path, ...rest)
  })
}

// A killed process loses nothing that it wrote, so the real disk needs no sync.
mock.method(fs, 'fsyncSync', () => undefined)

const idle = async (): Promise<void> => {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
}

export class World {
  readonly folder = join(mkdtempSync(join(tmpdir(), 'epochs-')), 'data')
  readonly #memory = new MemoryDisk()
  readonly #given = new Map<string, Given>()
  readonly #settled = new Set<string>()
  #actual: DesiredState = { mode: 'on', policyDigest: 'a' }
  #observed: DesiredState | undefined
  /** The number of unbroken times of one mode that were observed. */
  #time = 0
  #now = 1_790_000_000_000
  /** When a request could be kept for the first time in this mode, and under this policy. */
  #openSince = 0
  #openTime = -1
  #inForce: string | undefined
  #inForceSince = 0
  #era = 0
  #lastPolicy: string | undefined
  #posts: Post[] = []
  #processes = 0
  #killIn = Number.POSITIVE_INFINITY
  #killed = false
  #wrong: unknown
  #began: { at: number; time: number; mode: Mode } | undefined
  #disk!: SteppedDisk
  #controller!: ModeController

  static begin(): World {
    const world = new World()
    current = world
    mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
    world.#start()
    return world
  }

  #start(): void {
    const processNumber = ++this.#processes
    const alive = (): boolean => processNumber === this.#processes && !this.#killed
    const disk = new SteppedDisk(this.#memory)
    this.#disk = disk
    this.#killed = false
    const counters = new Counters()
    const now = (): number => this.#now
    this.#controller = new ModeController({
      folder: this.folder,
      desiredState: () => this.#observe(),
      openQueue: ({ policyDigest, mode, wipe }) =>
        openQueue(
          queueOptions(this.folder, {
            policyDigest,
            wipe,
            full: mode === 'local' ? 'ring' : 'refuse',
            maxAgeMs: Number.MAX_SAFE_INTEGER,
            disk,
            counters,
            now,
          }),
        ),
      lockFolder: () => disk.lock(),
      wipeFolder: () => wipeFiles(this.folder, counters, disk, 'consent'),
      openSender: (queue, notBefore, allowed) => {
        const sender = new Sender({
          queue,
          notBefore,
          allowed,
          now,
          log,
          counters,
          destination: {
            endpoint: '',
            headersFile: undefined,
            caFile: undefined,
            clientCertFile: undefined,
            clientKeyFile: undefined,
            proxy: undefined,
          },
          intervalMs: 1_000,
          rejectedSpans: () => 0,
          random: () => 0,
          open: () => ({
            post: (body, signal) => this.#post(alive, body, signal),
            close: () => undefined,
          }),
        })
        sender.start()
        return sender
      },
      firstSendDelay: FIRST_SEND_DELAY,
      log,
      now,
    })
    void this.#controller.start().catch(() => assert.fail('start() rejected'))
  }

  #observe(): DesiredState {
    const before = this.#observed
    this.#observed = { ...this.#actual }
    if (before?.mode !== this.#observed.mode) this.#time++
    const { policyDigest: policy } = this.#observed
    if (policy !== undefined && policy !== this.#lastPolicy) {
      this.#lastPolicy = policy
      this.#inForceSince = this.#now
      this.#era++
    }
    return this.#observed
  }

  /** Checks a request at the moment in which it is sent. */
  #check(ids: readonly string[], body: Buffer): void {
    assert.equal(this.#actual.mode, 'on', 'a request while the switches are not on')
    for (const id of ids) {
      const { time, mode, policy, processNumber } = this.#given.get(id)!
      assert.deepEqual(
        { time, mode },
        { time: this.#time, mode: 'on' },
        `${id} was not accepted in this epoch of on`,
      )
      assert.equal(policy, this.#actual.policyDigest, `${id} was made under another policy`)
      if (processNumber !== this.#processes) seen.deliveredAfterKill++
    }
    const early = Math.max(this.#openSince, this.#inForceSince) + FIRST_SEND_DELAY - this.#now
    assert.ok(early <= 0, `a request ${early} ms before the first may be sent`)
    assert.ok(this.#receipts().includes(sha256Of(body)), 'a request without a receipt')
  }

  /** The sidecar takes an error here for a network failure, so `after` throws it. */
  #must(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#wrong ??= error
    }
  }

  #post(alive: () => boolean, body: Buffer, signal: AbortSignal): Promise<Answer> {
    if (!alive()) return new Promise(() => undefined)
    const ids = idsIn(gunzipSync(body))
    this.#must(() => this.#check(ids, body))
    return new Promise((resolve) => {
      const post: Post = { ids, signal, answer: resolve }
      this.#posts.push(post)
      signal.addEventListener('abort', () => {
        if (!alive()) return
        this.#posts = this.#posts.filter((other) => other !== post)
        resolve({ status: 0, code: 'ABORTED', retryAfter: undefined, body: Buffer.alloc(0) })
        if (this.#observed?.mode === 'on') return
        seen.cancelled++
        this.#must(() =>
          assert.ok(
            !existsSync(join(this.folder, 'epoch')),
            'a request was cancelled before the epoch was ended',
          ),
        )
      })
    })
  }

  #receipts(): string {
    return this.#memory.operations
      .flatMap((operation) =>
        operation.kind === 'write' ? [operation.bytes.toString('latin1')] : [],
      )
      .filter((text) => text.startsWith('{'))
      .join('')
  }

  turn(mode: Mode): void {
    this.#actual.mode = mode
  }

  usePolicy(policy: string | undefined): void {
    this.#actual.policyDigest = policy
  }

  look(): void {
    this.#controller.reconcile()
    if (this.#observed?.mode !== 'on' && !this.#killed)
      assert.deepEqual(
        this.#posts.map(({ signal }) => signal.aborted),
        [],
        'a request continues after the end of on was seen',
      )
  }

  /** As RequestHandler does. */
  accept(began = { at: performance.now(), time: this.#time, mode: this.#observed!.mode }): void {
    const { mode, policyDigest: policy } = this.#observed!
    const id = `n${this.#given.size}`
    const time = this.#time === began.time ? this.#time : -1
    const given: Given = {
      time,
      mode,
      policy,
      era: this.#era,
      processNumber: this.#processes,
      acknowledged: false,
    }
    this.#given.set(id, given)
    const controller = this.#controller
    const queue = policy === undefined ? undefined : controller.queueFor(began.at)
    if (queue === undefined) {
      seen.discarded++
      return
    }
    queue.append(recordOf(id), 1).then(
      () => {
        given.acknowledged = true
      },
      () => undefined,
    )
  }

  /** A request with a slow body. */
  beginAccept(): void {
    this.#began = { at: performance.now(), time: this.#time, mode: this.#observed!.mode }
  }

  endAccept(): void {
    if (this.#began !== undefined) this.accept(this.#began)
    this.#began = undefined
  }

  async step(): Promise<void> {
    await this.#disk.step()
    await idle()
    this.#noteOpen()
  }

  fail(when: 'before' | 'after'): void {
    this.#disk.failNext = when
  }

  async pass(ms: number): Promise<void> {
    this.#now += ms
    mock.timers.tick(ms)
    await idle()
  }

  answer(status: number): void {
    const post = this.#posts.shift()
    if (post === undefined) return
    if (status === 200 || status === 400) for (const id of post.ids) this.#settled.add(id)
    if (status === 200) seen.delivered += post.ids.length
    post.answer({ status, code: '', retryAfter: undefined, body: Buffer.alloc(0) })
  }

  kill(): void {
    this.#killed = true
    this.#disk.kill()
    this.#posts = []
    this.#began = undefined
    mock.timers.reset()
    mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  }

  /** Kills the process before an operation on the epoch file, after `operations` others. */
  killInEpoch(operations: number): void {
    this.#killIn = operations
  }

  beforeEpochOperation(): void {
    if (!this.#killed && this.#killIn-- > 0) return
    if (!this.#killed) seen.killedInEpoch++
    this.#killIn = Number.POSITIVE_INFINITY
    this.#killed = true
    throw Object.assign(new Error('killed'), { code: 'EIO' })
  }

  /** Runs after every command. */
  async after(): Promise<void> {
    await idle()
    if (this.#wrong !== undefined) throw this.#wrong
    // Before any switch changes: the next process cannot see an off that no process was running to
    // see.
    while (this.#killed) {
      this.kill()
      this.#start()
      await idle()
    }
    this.#noteOpen()
  }

  /** Notes the first moment at which a request could be kept in this mode and policy. */
  #noteOpen(): void {
    if (this.#killed || this.#controller.queueFor(performance.now()) === undefined) return
    if (this.#openTime !== this.#time) {
      this.#openTime = this.#time
      this.#openSince = this.#now
    }
    if (this.#inForce !== this.#lastPolicy) {
      if (this.#inForce !== undefined) seen.renewed++
      this.#inForce = this.#lastPolicy
    }
  }

  /** Completes everything in progress, and then checks the directory. */
  async settle(): Promise<void> {
    this.#killIn = Number.POSITIVE_INFINITY
    for (let round = 0; round < 3; round++) {
      while (this.#disk.waiting > 0) await this.step()
      // So that failed steps are repeated.
      await this.pass(5_000)
      await this.after()
    }
    while (this.#disk.waiting > 0) await this.step()
    const { mode, policyDigest: policy } = this.#observed!
    const places = ['queue', 'sending', 'sent']
    const ids = (
      await Promise.all(places.map((place) => idsOf(this.#memory, join(this.folder, place))))
    ).flat()
    if (mode === 'off') {
      seen.wiped++
      assert.deepEqual(ids, [], 'something is left in mode off')
      assert.ok(!existsSync(join(this.folder, 'epoch')), 'the epoch is left in mode off')
    }
    // Without a policy the directory stays closed, so a killed process's records are wiped later.
    if (policy === undefined) return
    for (const id of ids)
      assert.equal(
        this.#given.get(id)!.time,
        this.#time,
        `${id} is left of an epoch that has ended`,
      )
  }

  /** In the end, all acknowledged records that may be sent have been sent. */
  async end(): Promise<void> {
    this.turn('on')
    this.usePolicy('a')
    this.look()
    await this.after()
    await this.settle()
    this.#disk.failNext = undefined
    this.accept()
    await this.after()
    await this.settle()
    for (let round = 0; round < 40; round++) {
      await this.pass(1_000)
      while (this.#disk.waiting > 0) await this.step()
      while (this.#posts.length > 0) {
        this.answer(200)
        await this.after()
      }
    }
    const missing = [...this.#given]
      .filter(
        ([id, { acknowledged, time, era }]) =>
          acknowledged && time === this.#time && era === this.#era && !this.#settled.has(id),
      )
      .map(([id]) => id)
    assert.deepEqual(missing, [], 'acknowledged, allowed, and never sent')
    assert.ok(this.#settled.size > 0)
  }

  leave(): void {
    this.kill()
    mock.timers.reset()
    current = undefined
    rmSync(join(this.folder, '..'), { recursive: true, force: true })
  }
}
