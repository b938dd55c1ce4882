// A log of whole lines of JSON: at its level, bounded, and with nothing in it but what the code says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog, LOG_LEVELS, type LogLevel } from '../src/log.ts'

const START = Date.UTC(2026, 9, 5, 13, 47, 11)

function logHere(level: LogLevel = 'debug') {
  const written: string[] = []
  let now = START
  const log = createLog(
    level,
    (line) => written.push(line),
    () => now,
  )
  return {
    log,
    written,
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    pass: (ms: number) => {
      now += ms
    },
  }
}

test('an event is one line of JSON with its time, its level and its fields', () => {
  const { log, written } = logHere()
  log.warn('queue: full', { bytes: 12, ring: true, code: 'ENOSPC\n"' })
  assert.deepEqual(written, [
    '{"time":"2026-10-05T13:47:11.000Z","level":"warn","event":"queue: full","bytes":12,"ring":true,"code":"ENOSPC\\n\\""}\n',
  ])
})

test('what is below the level is not written', () => {
  LOG_LEVELS.forEach((level, index) => {
    const { log, lines } = logHere(level)
    for (const at of LOG_LEVELS) log[at]('event')
    assert.deepEqual(
      lines().map((line) => line.level),
      LOG_LEVELS.slice(index),
    )
  })
})

test('an equal line comes after ten seconds, the next after twenty more, and each says how many there were', () => {
  const { log, lines, pass } = logHere()
  for (let i = 0; i < 5; i++) log.error('event', { code: 'EIO' })
  pass(9_999)
  log.error('event', { code: 'EIO' })
  assert.equal(lines().length, 1)
  pass(1)
  log.error('event', { code: 'EIO' })
  pass(19_999)
  log.error('event', { code: 'EIO' })
  assert.equal(lines().length, 2)
  pass(1)
  log.error('event', { code: 'EIO' })
  assert.deepEqual(
    lines().map((line) => line.repeated),
    [undefined, 5, 1],
  )
})

test('lines that differ in level, event or a field are not equal', () => {
  const { log, lines } = logHere()
  log.error('event', { code: 'EIO' })
  log.error('event', { code: 'ENOSPC' })
  log.warn('event', { code: 'EIO' })
  log.error('another', { code: 'EIO' })
  log.error('event')
  assert.equal(lines().length, 5)
})

test('a line that is not written for its level is not counted as repeated', () => {
  const { log, lines } = logHere('info')
  log.debug('event')
  log.info('event')
  assert.deepEqual(
    lines().map((line) => line.repeated),
    [undefined],
  )
})

test('what it remembers is bounded: it forgets all and begins again', () => {
  const { log, lines } = logHere()
  for (let i = 0; i < 256; i++) log.info('event', { i })
  log.info('event', { i: 0 })
  assert.equal(lines().length, 256)
  log.info('event', { i: 256 })
  log.info('event', { i: 0 })
  assert.equal(lines().length, 258)
  assert.equal(lines().at(-1)!.repeated, undefined)
})

test('a clock that goes back keeps no line back', () => {
  const { log, lines, pass } = logHere()
  log.info('event')
  pass(-3_600_000)
  log.info('event')
  pass(-9_999)
  log.info('event')
  assert.equal(lines().length, 2)
})

test('what is said every five seconds for a week is written once an hour, and how often it came is told', () => {
  const { log, lines, pass } = logHere()
  let said = 0
  for (; said < (7 * 24 * 3600) / 5; said++) {
    log.error('the folder cannot be used', { code: 'EBUSY' })
    pass(5_000)
  }
  assert.ok(lines().length > 160 && lines().length < 190, `${lines().length} lines`)
  const told = lines().reduce((sum, { repeated = 0 }) => sum + 1 + Number(repeated), 0)
  assert.ok(said - told < 3600 / 5)
})

test('a line that comes back after a pause is written at once, and then after ten seconds again', () => {
  const { log, lines, pass } = logHere()
  for (let i = 0; i < 100; i++) {
    log.error('event')
    pass(5_000)
  }
  const before = lines().length
  pass(86_400_000)
  log.error('event')
  pass(10_000)
  log.error('event')
  assert.equal(lines().length, before + 2)
})
