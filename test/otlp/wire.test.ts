// The wire format, byte by byte: what a cursor reads, where it stops, and what it refuses with the
// place.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cursor, varintField } from '../../src/otlp/wire.ts'
import { Refusal } from '../../src/support/errors.ts'

/**
 * A cursor on these bytes, inside a larger buffer that goes on with bytes which end every number.
 */
function on(hex: string): Cursor {
  const inner = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  return new Cursor(
    Buffer.concat([Buffer.from([0xff]), inner, Buffer.alloc(32, 1)]),
    1,
    1 + inner.length,
  )
}

const refuses = (read: () => unknown, note: string): void =>
  assert.throws(
    read,
    (error) =>
      error instanceof Refusal && error.status === 400 && / at byte \d+\./.test(error.message),
    note,
  )

test('tags and lengths have at most 32 bits and end in their message', () => {
  for (const [hex, value] of [
    ['00', 0],
    ['7f', 127],
    ['80 01', 128],
    ['ff ff ff ff 0f', 2 ** 32 - 1],
    ['81 80 80 80 00', 1],
    ['81 80 80 80 80 00', undefined],
  ] as const) {
    if (value === undefined) refuses(() => on(hex).varint32(), hex)
    else assert.equal(on(hex).varint32(), value, hex)
  }
  for (const hex of ['', '80', 'ff ff', 'ff ff ff ff 1f', '80 80 80 80 10', 'ff ff ff ff ff 01'])
    refuses(() => on(hex).varint32(), hex)
})

test('field number 0 and the wire types 6 and 7 do not exist', () => {
  assert.equal(on('0d').tag(), 0x0d)
  for (const hex of ['00', '05', '0e', '0f', '80 00', '86 01', ''])
    refuses(() => on(hex).tag(), hex)
})

test('a length does not go beyond its message', () => {
  assert.equal(on('02 00 00').length(), 2)
  assert.equal(on('00').length(), 0)
  for (const hex of ['01', '03 00 00', 'ff ff ff ff 0f 00']) refuses(() => on(hex).length(), hex)
})

test('values are stepped over to the byte, and not beyond their message', () => {
  const skipped = (hex: string): number => {
    const cursor = on(hex)
    cursor.skip(cursor.tag())
    return cursor.pos - 1
  }
  const group = (levels: number): string => '0b'.repeat(levels) + '0c'.repeat(levels)
  for (const whole of [
    '08 01',
    '08 ff ff ff ff ff ff ff ff ff 01',
    '09 00 00 00 00 00 00 00 00',
    '0a 02 00 00',
    '0d 00 00 00 00',
    '0b 0c',
    '0b 08 01 13 14 1a 01 00 0c',
    group(32),
  ]) {
    assert.equal(skipped(`${whole} 08 01`), whole.replaceAll(' ', '').length / 2, whole)
  }
  for (const bad of [
    '08',
    '08 80',
    '08 ff ff ff ff ff ff ff ff ff ff 01',
    '09 00 00 00 00 00 00 00',
    '0a 02 00',
    '0d 00 00 00',
    '0b',
    '0b 08 01',
    '0b 14',
    '0b 13 0c 14',
    '0c',
    group(33),
    '0b'.repeat(100_000),
  ]) {
    refuses(() => skipped(bad), bad.slice(0, 50))
  }
})

test('negative numbers take the ten bytes of int64', () => {
  assert.equal(varintField(1, -1).toString('hex'), '08ffffffffffffffffff01')
  assert.equal(varintField(1, -(2n ** 63n)).toString('hex'), '0880808080808080808001')
  assert.equal(varintField(16, 300).toString('hex'), '8001ac02')
})
