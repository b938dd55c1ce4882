// A log of whole lines of JSON, at its level and bounded. What is said again and again fills no
// disk, and a state that came back after a pause is said at once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog, LOG_LEVELS } from '../../src/support/log.ts'

const HOUR = 3_600_000
const START = 1_790_000_000_000

function logAt() {
  let time = START
  const lines: { at: number; event: string; repeated: number | undefined }[] = []
  const log = createLog(
    'info',
    (line) => {
      const { event, repeated } = JSON.parse(line) as { event: string; repeated?: number }
      lines.push({ at: time - START, event, repeated })
    },
    () => time,
  )
  const pass = (ms: number): void => {
    time += ms
  }
  return { log, lines, pass }
}

test('an event is one line of JSON with its time, its level and its fields', () => {
  const written: string[] = []
  const log = createLog(
    'debug',
    (line) => written.push(line),
    () => START,
  )
  log.warn('queue: full', { bytes: 12, ring: true, code: 'ENOSPC\n"' })
  const time = new Date(START).toISOString()
  assert.deepEqual(written, [
    `{"time":"${time}","level":"warn","event":"queue: full","bytes":12,"ring":true,"code":"ENOSPC\\n\\""}\n`,
  ])
})

test('what is below the level is not written, nor counted as repeated', () => {
  LOG_LEVELS.forEach((level, index) => {
    const written: Record<string, unknown>[] = []
    const log = createLog(level, (line) =>
      written.push(JSON.parse(line) as Record<string, unknown>),
    )
    for (const at of LOG_LEVELS) log[at]?.('event')
    assert.deepEqual(
      written.map((line) => [line.level, line.repeated]),
      LOG_LEVELS.slice(index).map((at) => [at, undefined]),
    )
  })
})

test('what it remembers is bounded: it forgets all and begins again', () => {
  const { log, lines } = logAt()
  for (let i = 0; i < 256; i++) log.info('event', { i })
  log.info('event', { i: 0 })
  assert.equal(lines.length, 256)
  log.info('event', { i: 256 })
  log.info('event', { i: 0 })
  assert.deepEqual([lines.length, lines.at(-1)!.repeated], [258, undefined])
})

test('a line that comes every five seconds for a week is written after ten seconds, twenty, and so on to once an hour', () => {
  const { log, lines, pass } = logAt()
  let said = 0
  for (; said < (7 * 24 * HOUR) / 5_000; said++) {
    log.error('the folder cannot be used', { code: 'EBUSY' })
    pass(5_000)
  }
  assert.deepEqual(
    lines.slice(0, 5).map(({ at }) => at),
    [0, 10_000, 30_000, 70_000, 150_000],
  )
  assert.ok(lines.length > 160 && lines.length < 190, `${lines.length} lines`)
  const told = lines.reduce((sum, { repeated = 0 }) => sum + 1 + repeated, 0)
  assert.ok(said - told < HOUR / 5_000, 'how often it came is told')
})

test('a line is written at once when it is another one, or comes back after a pause', () => {
  const { log, lines, pass } = logAt()
  for (const code of ['EBUSY', 'EBUSY', 'EROFS', 'EBUSY'])
    log.error('the folder cannot be used', { code })
  assert.equal(lines.length, 2)
  for (let i = 0; i < 100; i++) {
    pass(5_000)
    log.error('the folder cannot be used', { code: 'EBUSY' })
  }
  const before = lines.length
  pass(24 * HOUR)
  log.error('the folder cannot be used', { code: 'EBUSY' })
  pass(10_000)
  log.error('the folder cannot be used', { code: 'EBUSY' })
  assert.equal(lines.length, before + 2)
})

test('a clock that is set back a day silences nothing', () => {
  const { log, lines, pass } = logAt()
  log.warn('a')
  pass(-24 * HOUR)
  log.warn('a')
  assert.equal(lines.length, 2)
})
