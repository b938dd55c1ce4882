// Malformed OTLP/JSON: each class of test/fixtures/malformed.md has its outcome, what is not JSON
// is refused with its place and without its text, and the output is bounded.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Output } from '../../src/otlp/json-output.ts'
import { Refusal } from '../../src/support/errors.ts'
import {
  convert,
  firstValue,
  inAttribute,
  inSpan,
  inSpans,
  inValue,
  KEPT,
  LEFT_OUT,
  OTHER,
  passed,
  REJECTED,
  refuses,
  SPAN_ID,
  TRACE_ID,
} from '../support/otlp-json-pieces.ts'

describe('repeated members', () => {
  it('of a KeyValue or an AnyValue leave the attribute out', () => {
    const twice = [
      '"key":"k","key":"k","value":{"stringValue":"a"}',
      '"key":"k","key":"unlisted","value":{"stringValue":"a"}',
      '"key":"unlisted","key":"k","value":{"stringValue":"a"}',
      '"key":"k","k\\u0065y":"k","value":{"stringValue":"a"}',
      '"key":"k","key":null,"value":{"stringValue":"a"}',
      '"key":null,"key":"k","value":{"stringValue":"a"}',
      '"key":"k","value":{"stringValue":"a"},"value":{"stringValue":"a"}',
      '"key":"k","value":{"stringValue":"a"},"value":null',
      '"key":"k","value":null,"value":{"stringValue":"a"}',
      '"key":"k","value":{"stringValue":"a","stringValue":"a"}',
      '"key":"k","value":{"stringValue":"a","string\\u0056alue":"a"}',
      '"key":"k","value":{"stringValue":"a","stringValue":null}',
      '"key":"k","value":{"stringValue":null,"stringValue":"a"}',
      '"key":"k","value":{"stringValue":null,"stringValue":null}',
      '"key":"k","value":{"stringValue":"a","intValue":"1"}',
      '"key":"k","value":{"arrayValue":{},"arrayValue":{}}',
      '"key":"k","value":{"boolValue":true,"boolValue":false}',
      '"key":"k","value":{"doubleValue":1,"doubleValue":1}',
      '"key":"k","value":{"bytesValue":"","bytesValue":""}',
    ]
    for (const members of twice) assert.deepEqual(passed(inAttribute(members)), LEFT_OUT, members)
  })

  it('of an AnyValue inside another leave that attribute as it is: a value of another kind', () => {
    assert.deepEqual(
      passed(inValue('"arrayValue":{"values":[{"stringValue":"a","stringValue":"b"}]}')),
      OTHER,
    )
  })

  it('that are the same key in two attributes leave both out', () => {
    assert.deepEqual(
      passed(
        inSpan(
          '"attributes":[{"key":"k","value":{"stringValue":"a"}},{"key":"\\u006b","value":{"stringValue":"a"}}]',
        ),
      ),
      LEFT_OUT,
    )
  })

  it('of a Span reject the span', () => {
    const members: [string, string][] = [
      ['traceId', `"${TRACE_ID}"`],
      ['spanId', `"${SPAN_ID}"`],
      ['parentSpanId', '""'],
      ['traceState', '""'],
      ['name', '"run"'],
      ['kind', '1'],
      ['startTimeUnixNano', '"1"'],
      ['endTimeUnixNano', '1'],
      ['droppedAttributesCount', '0'],
      ['droppedEventsCount', '0'],
      ['droppedLinksCount', '0'],
      ['status', '{}'],
      ['flags', '0'],
    ]
    const others = '{"resourceSpans":[{"scopeSpans":[{"spans":['
    for (const [name, value] of members) {
      const rest = members
        .filter(([other]) => other !== name)
        .map(([other, its]) => `"${other}":${its}`)
      const spanOf = (...values: string[]): string =>
        `${others}{${[...rest, ...values.map((one) => `"${name}":${one}`)].join()}}]}]}]}`
      assert.equal(passed(spanOf(value)).rejected, 0, name)
      for (const values of [
        [value, value],
        [value, 'null'],
        ['null', value],
        ['null', 'null'],
      ])
        assert.deepEqual(passed(spanOf(...values)), REJECTED, `${name} ${values.join()}`)
    }
    assert.deepEqual(passed(inSpan('"kind":"A","kind":"A"')), REJECTED)
    assert.deepEqual(passed(inSpan('"\\u006eame":"run"')), REJECTED)
  })

  it('that are lists of the envelope refuse the request', () => {
    const scope = (members: string): string => `{"resourceSpans":[{"scopeSpans":[{${members}}]}]}`
    for (const twice of [
      '"resourceSpans":[],"resourceSpans":[]',
      '"resourceSpans":null,"resource\\u0053pans":[]',
    ])
      refuses(`{${twice}}`)
    refuses('{"resourceSpans":[{"scopeSpans":[],"scopeSpans":[]}]}')
    refuses(scope('"spans":[],"spans":[]'))
    for (const list of ['attributes', 'events', 'links']) {
      refuses(inSpan(`"${list}":[],"${list}":[]`))
      refuses(inSpan(`"${list}":[],"${list}":null`))
    }
  })

  it('that are a resource, a scope or a status are in the protobuf twice', () => {
    const json =
      '{"resourceSpans":[{"resource":{"attributes":[{"key":"a"}]},"resource":{"attributes":[{"key":"b"}]},"scopeSpans":[{"scope":{"name":"c"},"scope":{"name":"d"}}]}]}'
    const text = Buffer.from(convert(json)).toString('latin1')
    for (const letter of ['a', 'b', 'c', 'd']) assert.ok(text.includes(`\n\u0001${letter}`), letter)
    assert.equal(passed(inSpan('"status":{"code":2,"code":2}')).status, 0)
    assert.equal(passed(inSpan('"status":{"code":null,"code":2}')).status, 0)
    assert.equal(passed(inSpan('"status":{"code":true}')).status, 0)
  })
})

describe('strings', () => {
  it('have their escapes resolved, in names and in values', () => {
    assert.equal(
      firstValue(
        '"stringValue":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\\u0000."',
      ).value,
      '"\\/\b\f\n\r\tAé€😀\u0000.',
    )
    assert.deepEqual(
      passed(inAttribute('"\\u006b\\u0065y":"\\u006b","value":{"stringValue":"\\u0061"}')),
      KEPT,
    )
    assert.equal(
      firstValue(`"stringValue":"${'\\n'.repeat(1000)}é"`).value,
      `${'\n'.repeat(1000)}é`,
    )
  })

  it('with half a surrogate pair are not UTF-8 in the protobuf', () => {
    for (const [text, hex] of [
      ['\\ud800', 'eda080'],
      ['\\udc00', 'edb080'],
      ['\\udc00\\ud800', 'edb080eda080'],
      ['\\ud83dx', 'eda0bd78'],
      ['\\ud83d\\ud83d\\ude00', 'eda0bdf09f9880'],
      ['\\ud83d\\n', 'eda0bd0a'],
      ['\\udc00\\udc00', 'edb080edb080'],
      ['\\ud83d\\uffff', 'eda0bdefbfbf'],
    ] as const) {
      const bytes = Buffer.from(convert(inValue(`"stringValue":"${text}"`)))
      assert.ok(
        bytes.toString('hex').endsWith(`0a${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`),
        text,
      )
    }
    assert.deepEqual(passed(inValue('"stringValue":"a\\ud800"')), LEFT_OUT)
  })

  it('with bytes that are not UTF-8 keep them', () => {
    for (const bad of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80]]) {
      const [head, tail] = inValue('"stringValue":"a@"').split('@')
      assert.deepEqual(
        passed(Buffer.concat([Buffer.from(head!), Buffer.from(bad), Buffer.from(tail!)])),
        LEFT_OUT,
      )
    }
    assert.equal(passed(inValue('"stringValue":"ä"')).out, 'ä')
  })
})

describe('what is not JSON, or no request', () => {
  it('is refused with 400', () => {
    const wrong = [
      '',
      ' ',
      'null',
      '[]',
      '5',
      '"x"',
      'true',
      '{',
      '{}x',
      '{}{}',
      '{} 1',
      '{,}',
      '{"a":1,}',
      '{"a" 1}',
      '{"a":}',
      '{a:1}',
      "{'a':1}",
      '{"a":1 "b":2}',
      '{"a":[1,]}',
      '{"a":[1 2]}',
      '{"a":[}',
      '{"a":1]',
      '{xa":1}',
      '{"a"x1}',
      'x}',
      '[}',
    ]
    const values = [
      '01',
      '-',
      '-01',
      '+1',
      '1.',
      '.5',
      '1e',
      '1e+',
      '0x1',
      'NaN',
      'Infinity',
      'nul',
      'nulL',
      'True',
      'truefalse',
      '"\\x"',
      '"\\u12g4"',
      '"\\u123"',
      '"\n"',
      '"\u0000"',
      '"\t"',
      '"\u001f"',
      '"',
      '//c\n1',
      '/**/1',
      '1,',
      '-x',
      '1.x',
      '1ex',
    ]
    for (const json of [
      ...wrong,
      ...values.map((value) => `{"a":${value}}`),
      '{}\u0000',
      '\u000b{}',
      '\u00a0{}',
    ])
      refuses(json)
    for (const value of values) refuses(inValue(`"doubleValue":${value}`))
    refuses(Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d]))
    refuses(Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0xff, 0x7d]))
    assert.equal(convert(' \t\r\n{ } \t\r\n').length, 0)
  })

  it('is refused if the envelope has a value of a wrong kind', () => {
    for (const value of ['5', '"x"', '{}', 'true', '[5]', '[null]', '["x"]', '[[]]']) {
      refuses(`{"resourceSpans":${value}}`)
      refuses(`{"resourceSpans":[{"scopeSpans":${value}}]}`)
      refuses(inSpans('').replace('[]', value))
      for (const list of ['attributes', 'events', 'links']) refuses(inSpan(`"${list}":${value}`))
    }
    for (const value of ['5', 'true', '{}', '[]'])
      for (const name of ['traceId', 'spanId', 'parentSpanId', 'traceState', 'name'])
        refuses(inSpans(`{"${name}":${value}}`))
    for (const value of ['5', 'true', '"x"', '[]']) {
      refuses(inSpan(`"status":${value}`))
      refuses(`{"resourceSpans":[{"resource":${value}}]}`)
      refuses(`{"resourceSpans":[{"scopeSpans":[{"scope":${value}}]}]}`)
    }
    refuses('{"resourceSpans":[{"schemaUrl":1}]}')
  })

  it('is ignored where an unlisted place has a value of a wrong kind', () => {
    const json = inSpan(
      '"events":[{"name":5,"timeUnixNano":"x","attributes":7}],"links":[{"traceId":5,"attributes":[1]}],"status":{"message":[]},"attributes":[{"key":"k","value":{"stringValue":"a"}}]',
    )
    assert.equal(
      passed(json.replace('"scopeSpans"', '"resource":{"attributes":{}},"scopeSpans"')).out,
      'a',
    )
  })

  it('says where it is cut off', () => {
    for (const json of ['{"a":"x', '{"a":1', '{"a":tru', '{"a', '{"a":[{}'])
      assert.throws(
        () => convert(json),
        (error) =>
          error instanceof Refusal &&
          error.message.startsWith(`OTLP JSON that is cut off at byte ${json.length}.`),
        json,
      )
  })

  it('is not repeated in the refusal', () => {
    for (const json of [
      '{"a":secret}',
      inSpan('"name":"secret","startTimeUnixNano":"secret"'),
      inSpan('"kind":"secret","secret"'),
    ]) {
      assert.throws(
        () => convert(json),
        (error) => error instanceof Refusal && !error.message.includes('secret'),
      )
    }
  })
})

describe('bounds', () => {
  it('refuses more protobuf than allowed with 413, to the byte', () => {
    const nested = inValue(
      `"arrayValue":{"values":[${'{"arrayValue":{"values":[{"intValue":1},{"stringValue":"\\u0061\\n"}]}},'.repeat(50)}{}]}`,
    )
    for (const json of [inSpan(''), nested, inValue(`"stringValue":"${'x'.repeat(10_000)}"`)]) {
      const whole = convert(json)
      assert.deepEqual(convert(json, whole.length), whole)
      for (const limit of [whole.length - 1, whole.length >>> 1, 0])
        assert.throws(
          () => convert(json, limit),
          (error) => error instanceof Refusal && error.status === 413,
          String(limit),
        )
    }
  })

  it('bounds the buffer while it grows', () => {
    const out = new Output(16, 1000)
    const write = (): void => {
      for (let i = 0; i < 10_000; i++) out.byte(0)
    }
    assert.throws(write, (error) => error instanceof Refusal && error.status === 413)
    assert.ok(out.bytes.length < 6000)
  })

  it('reads a body that is a view into a larger buffer', () => {
    const json = Buffer.from(`xx${inValue('"stringValue":"a"')}}}`)
    assert.deepEqual(passed(json.subarray(2, -2)), KEPT)
  })
})
