// Values in OTLP/JSON: numbers are exact in both of their forms, every kind of value arrives, and
// one that is malformed has the outcome of test/fixtures/malformed.md.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  convert,
  decode,
  firstSpan,
  firstValue,
  inAttribute,
  inSpan,
  inValue,
  LEFT_OUT,
  OTHER,
  passed,
  refuses,
} from '../support/otlp-json-pieces.ts'

describe('numbers', () => {
  it('of 64 bits are exact, as texts and as numbers', () => {
    for (const whole of [
      0n,
      1n,
      -1n,
      127n,
      128n,
      2n ** 31n,
      -(2n ** 31n),
      2n ** 32n,
      -(2n ** 32n),
      2n ** 53n + 1n,
      -(2n ** 53n) - 1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
    ]) {
      assert.deepEqual(firstValue(`"intValue":"${whole}"`), { kind: 'int', value: whole })
      assert.deepEqual(firstValue(`"intValue":${whole}`), { kind: 'int', value: whole })
    }
    for (const time of [
      0n,
      2n ** 32n - 1n,
      2n ** 32n,
      1_544_712_660_000_000_001n,
      2n ** 64n - 1n,
    ]) {
      const { startTimeUnixNano, endTimeUnixNano } = firstSpan(
        inSpan(`"startTimeUnixNano":"${time}","endTimeUnixNano":${time}`),
      )
      assert.deepEqual([startTimeUnixNano, endTimeUnixNano], [time, time])
    }
    assert.deepEqual(firstValue('"intValue":"\\u002d\\u0031"'), { kind: 'int', value: -1n })
    assert.deepEqual(firstValue('"intValue":-0'), { kind: 'int', value: 0n })
  })

  const noWholes = [
    '"1e3"',
    '1e3',
    '1.0',
    '"1.5"',
    '""',
    '" 1"',
    '"1 "',
    '"+1"',
    '"01"',
    '"-"',
    '"0x10"',
    '"1_000"',
    '"9223372036854775808"',
    '-9223372036854775809',
    '"99999999999999999999"',
    '1e400',
    `"${'9'.repeat(5000)}"`,
    'true',
    '{}',
    '["1"]',
  ]
  it('that are none leave their attribute out', () => {
    for (const text of noWholes)
      assert.deepEqual(
        passed(inAttribute(`"key":"k","value":{"intValue":${text}}`)),
        LEFT_OUT,
        text,
      )
    assert.deepEqual(passed(inAttribute('"value":{"intValue":"x"},"key":"k"')), LEFT_OUT)
    assert.deepEqual(
      passed(
        inSpan(
          '"attributes":[{"key":"k","value":{"intValue":"x"}},{"key":"l","value":{"stringValue":"a"}}]',
        ),
      ),
      {
        ...LEFT_OUT,
        kept: 'a',
      },
    )
  })

  it('that are none refuse the request where they are times, counts or flags', () => {
    for (const text of [
      '"1e3"',
      '1e3',
      '1.0',
      '""',
      '"-1"',
      '-1',
      '"18446744073709551616"',
      'true',
      '{}',
      '[]',
    ]) {
      refuses(inSpan(`"startTimeUnixNano":${text}`))
      refuses(inSpan(`"endTimeUnixNano":${text}`))
    }
    for (const text of ['4294967296', '-1', '"x"', 'false']) {
      refuses(inSpan(`"flags":${text}`))
      refuses(inSpan(`"droppedEventsCount":${text}`))
    }
    for (const text of ['2147483648', '4294967297', '1.5', 'true', '[1]'])
      refuses(inSpan(`"kind":${text}`))
  })

  it('that are doubles are exact, with NaN and the infinities as texts', () => {
    for (const double of [0, -0, 1, -1.5, 0.1, 5e-324, 1.7976931348623157e308, 2 ** 53 + 2]) {
      assert.deepEqual(
        firstValue(`"doubleValue":${Object.is(double, -0) ? '-0' : JSON.stringify(double)}`),
        {
          kind: 'double',
          value: double,
        },
      )
      assert.deepEqual(firstValue(`"doubleValue":"${Object.is(double, -0) ? '-0.0' : double}"`), {
        kind: 'double',
        value: double,
      })
    }
    for (const text of ['NaN', 'Infinity', '-Infinity'])
      assert.deepEqual(firstValue(`"doubleValue":"${text}"`), {
        kind: 'double',
        value: Number(text),
      })
    for (const text of [
      '"nan"',
      '"+Infinity"',
      '"inf"',
      '""',
      '"1,5"',
      '"0x10"',
      '".5"',
      '1e999',
      'true',
    ])
      assert.deepEqual(passed(inValue(`"doubleValue":${text}`)), LEFT_OUT, text)
  })

  it('that are enums are never names', () => {
    assert.equal(firstSpan(inSpan('"kind":"SPAN_KIND_SERVER"')).kind, 0)
    assert.equal(firstSpan(inSpan('"kind":"3"')).kind, 0)
    assert.equal(firstSpan(inSpan('"kind":3')).kind, 3)
    assert.equal(passed(inSpan('"status":{"code":"STATUS_CODE_ERROR"}')).status, 0)
    assert.equal(passed(inSpan('"status":{"code":2}')).status, 2)
  })
})

describe('other values', () => {
  it('are booleans, bytes, arrays and maps', () => {
    assert.deepEqual(firstValue('"boolValue":true'), { kind: 'bool', value: true })
    assert.deepEqual(firstValue('"boolValue":false'), { kind: 'bool', value: false })
    assert.deepEqual(firstValue(''), { kind: 'empty', value: null })
    assert.deepEqual(
      firstValue(
        '"arrayValue":{"values":[{"intValue":"1"},{},{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}]}',
      ),
      {
        kind: 'array',
        value: [
          { kind: 'int', value: 1n },
          { kind: 'empty', value: null },
          { kind: 'map', value: [{ key: 'a', value: { kind: 'bool', value: true } }] },
        ],
      },
    )
    for (const length of [0, 1, 2, 3, 4, 127, 128, 1000]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 37 + length)
      for (const text of [
        Buffer.from(bytes).toString('base64'),
        Buffer.from(bytes).toString('base64url'),
        Buffer.from(bytes).toString('base64').replaceAll('/', '\\/').replace('A', '\\u0041'),
      ]) {
        assert.deepEqual(firstValue(`"bytesValue":"${text}"`), { kind: 'bytes', value: bytes })
      }
    }
  })

  it('leave their attribute out where they are of a wrong kind', () => {
    for (const members of [
      '"boolValue":"true"',
      '"boolValue":1',
      '"stringValue":1',
      '"stringValue":{}',
      '"arrayValue":[]',
      '"kvlistValue":"x"',
      '"bytesValue":7',
    ]) {
      assert.deepEqual(passed(inValue(members)), LEFT_OUT, members)
    }
    for (const text of [
      'A',
      'AAAAA',
      'AA=',
      'AAA==',
      '=AAA',
      'AA=A',
      'AAAA====',
      'A A=',
      '\\n',
      'AA\\u0100A',
    ])
      assert.deepEqual(passed(inValue(`"bytesValue":"${text}"`)), LEFT_OUT, text)
    // Nothing stays of what was written before the mistake.
    assert.deepEqual(
      convert(inValue('"bytesValue":"AAAAAAAA*"')),
      convert(inValue('"bytesValue":7')),
    )
    assert.deepEqual(passed(inAttribute('"key":"k","value":"a"')), LEFT_OUT)
    assert.deepEqual(
      passed(
        inSpan(
          '"attributes":[{"key":5,"value":{"stringValue":"a"}},{"key":"l","value":{"stringValue":"a"}}]',
        ),
      ),
      {
        ...LEFT_OUT,
        kept: 'a',
      },
    )
  })

  it('are of another kind where they are arrays, maps or nothing', () => {
    for (const members of [
      '',
      '"arrayValue":{}',
      '"kvlistValue":{"values":[]}',
      '"bytesValue":"AA=="',
      '"doubleValue":"NaN"',
      '"stringValueStrindex":1',
    ])
      assert.deepEqual(passed(inValue(members)), OTHER, members)
  })

  it('nest 64 deep and no deeper', () => {
    const nested = (levels: number): string =>
      Array.from({ length: levels }).reduce<string>(
        (inner, _, i) =>
          i % 2 === 0
            ? `"arrayValue":{"values":[{${inner}}]}`
            : `"kvlistValue":{"values":[{"key":"x","value":{${inner}}}]}`,
        '"intValue":1',
      )
    assert.deepEqual(passed(inValue(nested(64))), OTHER)
    assert.equal(decode(inValue(nested(64))).length, 1)
    refuses(inValue(nested(65)))
    refuses(inValue(nested(20_000)))
    assert.equal(decode(inSpan(`"unknown":${'['.repeat(64)}${']'.repeat(64)}`)).length, 1)
    refuses(inSpan(`"unknown":${'['.repeat(65)}${']'.repeat(65)}`))
    refuses(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)
  })
})
