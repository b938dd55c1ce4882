// Protobuf requests as plain objects: everything that is there and exactly, nothing that is not,
// and a refusal with 400 for what is cut off or wrong.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Attribute,
  type DecodedSpan,
  decodeRequest,
  type Value,
} from '../../src/otlp/decode.ts'
import { lenField, varintField } from '../../src/otlp/wire.ts'
import { Refusal } from '../../src/support/errors.ts'
import { worlds } from '../support/oracle-check.ts'
import { requestOf } from '../support/otlp-arbitrary.ts'
import { ExportTraceServiceRequest } from '../support/otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import type {
  AnyValue,
  KeyValue,
} from '../support/otlp-generated/opentelemetry/proto/common/v1/common.ts'
import { encode } from '../support/otlp-pieces.ts'
import {
  attribute,
  bool,
  double,
  fixed64,
  int,
  keyValue,
  request,
  START,
  span,
  text,
} from '../support/spans.ts'

const spansOf = (bytes: Uint8Array): DecodedSpan[] =>
  decodeRequest(bytes).resourceSpans.flatMap((resource) =>
    resource.scopeSpans.flatMap((scope) => scope.spans),
  )
const decodedValue = (anyValue: Uint8Array): Value =>
  spansOf(request(span({ more: [attribute('k', anyValue)] })))[0]!.attributes[0]!.value
const refuses = (bytes: Uint8Array, note = ''): void =>
  assert.throws(
    () => decodeRequest(bytes),
    (error) => error instanceof Refusal && error.status === 400,
    note,
  )

const list = (...values: Uint8Array[]): Buffer =>
  lenField(5, Buffer.concat(values.map((value) => lenField(1, value))))
const map = (...entries: [string, Uint8Array][]): Buffer =>
  lenField(6, Buffer.concat(entries.map(([key, value]) => lenField(1, keyValue(key, value)))))

describe('a request', () => {
  it('without anything is empty', () => {
    assert.deepEqual(decodeRequest(Buffer.alloc(0)), { resourceSpans: [] })
    assert.deepEqual(decodeRequest(lenField(1, lenField(2, Buffer.alloc(0)))), {
      resourceSpans: [{ attributes: [], scopeSpans: [{ spans: [] }] }],
    })
  })

  it('has its resource, its scopes and their spans in order', () => {
    const resource = lenField(1, lenField(1, keyValue('a', text('b'))))
    const scope = (...names: string[]): Buffer =>
      lenField(
        2,
        Buffer.concat([
          lenField(1, text('scope')),
          ...names.map((name) => lenField(2, span({ name }))),
          lenField(3, Buffer.from('url')),
        ]),
      )
    const body = Buffer.concat([
      lenField(1, Buffer.concat([scope('1', '2'), resource, scope('3')])),
      lenField(1, scope('4')),
    ])
    const { resourceSpans } = decodeRequest(body)
    assert.deepEqual(
      resourceSpans.map(({ attributes }) => attributes),
      [[{ key: 'a', value: { kind: 'string', value: 'b' } }], []],
    )
    assert.deepEqual(
      resourceSpans.map(({ scopeSpans }) =>
        scopeSpans.map(({ spans }) => spans.map(({ name }) => name)),
      ),
      [[['1', '2'], ['3']], [['4']]],
    )
  })

  it('has every part of a span that is asked for', () => {
    const event = (field: number): Buffer => lenField(field, lenField(2, Buffer.from('event')))
    const status = lenField(
      15,
      Buffer.concat([lenField(2, Buffer.from('broken')), varintField(3, 2)]),
    )
    const more = [
      varintField(6, 3),
      attribute('k', int(5)),
      event(11),
      event(11),
      event(13),
      status,
      lenField(3, Buffer.from('state')),
    ]
    const body = request(
      span({
        parentId: Buffer.alloc(8, 0xab),
        name: 'näme',
        start: START,
        end: 2n ** 64n - 1n,
        more,
      }),
    )
    assert.deepEqual(spansOf(body), [
      {
        traceId: '07'.repeat(16),
        spanId: '09'.repeat(8),
        parentSpanId: 'ab'.repeat(8),
        name: 'näme',
        kind: 3,
        startTimeUnixNano: START,
        endTimeUnixNano: 2n ** 64n - 1n,
        attributes: [{ key: 'k', value: { kind: 'int', value: 5n } }],
        statusCode: 2,
        statusMessage: 'broken',
        eventCount: 2,
        linkCount: 1,
      },
    ])
  })

  it('has unknown fields stepped over at every level, the checksum of the queue too', () => {
    const checksum = Buffer.from([0x7d, 1, 2, 3, 4])
    const unknown = Buffer.concat([
      varintField(1000, -1),
      lenField(1001, Buffer.alloc(300)),
      fixed64(14, 7n),
      Buffer.from([0xa3, 0x06, 0x08, 0x01, 0xa4, 0x06]),
    ])
    const value = Buffer.concat([text('v'), lenField(99, unknown)])
    const spans = lenField(
      2,
      Buffer.concat([
        span({
          more: [lenField(9, Buffer.concat([keyValue('k', value), unknown])), varintField(50, 1)],
        }),
        varintField(60, 1),
      ]),
    )
    const body = Buffer.concat([
      lenField(1, Buffer.concat([unknown, lenField(2, Buffer.concat([unknown, spans]))])),
      checksum,
      unknown,
      checksum,
    ])
    assert.deepEqual(spansOf(body)[0]!.attributes, [
      { key: 'k', value: { kind: 'string', value: 'v' } },
    ])
  })

  it('in which a field occurs twice has the last one', () => {
    const body = request(
      span({
        more: [
          lenField(5, Buffer.from('second')),
          lenField(
            9,
            Buffer.concat([
              keyValue('a', text('x')),
              keyValue('b', Buffer.concat([text('y'), int(1)])),
            ]),
          ),
        ],
      }),
    )
    assert.equal(spansOf(body)[0]!.name, 'second')
    assert.deepEqual(spansOf(body)[0]!.attributes, [
      { key: 'b', value: { kind: 'int', value: 1n } },
    ])
  })

  it('that is a view into a larger buffer is read within its bounds', () => {
    const body = request(span({ more: [attribute('k', list(text('a'), double(1.5)))] }))
    const inside = Buffer.concat([Buffer.alloc(3, 0xff), body, Buffer.alloc(3, 0xff)]).subarray(
      3,
      -3,
    )
    assert.deepEqual(decodeRequest(inside), decodeRequest(body))
  })
})

describe('a value', () => {
  it('is of the kind that it has', () => {
    const bytes = Uint8Array.from([0, 255, 1])
    assert.deepEqual(decodedValue(text('é')), { kind: 'string', value: 'é' })
    assert.deepEqual(decodedValue(bool(true)), { kind: 'bool', value: true })
    assert.deepEqual(decodedValue(bool(false)), { kind: 'bool', value: false })
    assert.deepEqual(decodedValue(double(-0)), { kind: 'double', value: -0 })
    assert.deepEqual(decodedValue(double(Number.NaN)), { kind: 'double', value: Number.NaN })
    assert.deepEqual(decodedValue(lenField(7, bytes)), { kind: 'bytes', value: bytes })
    assert.deepEqual(decodedValue(Buffer.alloc(0)), { kind: 'empty', value: null })
    assert.deepEqual(decodedValue(list(int(1), Buffer.alloc(0), map(['a', list()]))), {
      kind: 'array',
      value: [
        { kind: 'int', value: 1n },
        { kind: 'empty', value: null },
        { kind: 'map', value: [{ key: 'a', value: { kind: 'array', value: [] } }] },
      ],
    })
  })

  it('that is an integer is exact over 64 bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) =>
        assert.deepEqual(decodedValue(int(value)), { kind: 'int', value }),
      ),
    )
    for (const value of [2n ** 63n - 1n, -(2n ** 63n), 2n ** 28n - 1n, 2n ** 28n, -1n])
      assert.deepEqual(decodedValue(int(value)), { kind: 'int', value })
    assert.deepEqual(decodedValue(Buffer.from([0x18, 0x81, 0x80, 0x80, 0x80, 0x00])), {
      kind: 'int',
      value: 1n,
    })
    const above = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02]
    assert.deepEqual(decodedValue(Buffer.from([0x10, ...above])), { kind: 'bool', value: false })
  })

  it('whose text is not UTF-8 is shown with U+FFFD', () => {
    assert.deepEqual(decodedValue(lenField(1, Buffer.from([0x61, 0xff]))), {
      kind: 'string',
      value: 'a\ufffd',
    })
  })

  it('that is bytes does not change with the request', () => {
    const body = request(span({ more: [attribute('k', lenField(7, Buffer.from([7, 7])))] }))
    const [decoded] = spansOf(body)
    body.fill(0)
    assert.deepEqual(decoded!.attributes[0]!.value.value, Uint8Array.from([7, 7]))
  })

  it('nests 64 deep and no deeper', () => {
    const nested = (levels: number): Buffer =>
      Array.from({ length: levels }).reduce<Buffer>(
        (inner, _, i) => (i % 2 === 0 ? list(inner) : map(['x', inner])),
        int(1),
      )
    assert.equal(decodedValue(nested(64)).kind, 'map')
    refuses(request(span({ more: [attribute('k', nested(65))] })))
    refuses(request(span({ more: [attribute('k', nested(5000))] })))
  })
})

describe('malformed bytes', () => {
  it('are refused where a known field has another wire type', () => {
    for (const field of [1, 2, 4, 5, 9, 11, 13, 15])
      refuses(request(span({ more: [varintField(field, 0)] })), `LEN ${field}`)
    for (const field of [6, 7, 8])
      refuses(request(span({ more: [lenField(field, Buffer.alloc(8))] })), `number ${field}`)
    for (const bad of [
      varintField(1, 1),
      lenField(2, Buffer.alloc(1)),
      fixed64(3, 1n),
      varintField(4, 1),
      varintField(5, 1),
      varintField(6, 1),
      varintField(7, 1),
    ]) {
      refuses(request(span({ more: [attribute('k', bad)] })), bad.toString('hex'))
    }
    for (const bad of [
      varintField(1, 1),
      lenField(1, varintField(1, 1)),
      lenField(1, varintField(2, 1)),
      lenField(1, lenField(2, varintField(2, 1))),
    ])
      refuses(bad)
  })

  it('are refused where a number has more than ten bytes', () => {
    refuses(
      request(
        span({
          more: [attribute('k', Buffer.from([0x18, ...Array.from({ length: 10 }, () => 0x80), 0]))],
        }),
      ),
    )
  })

  it('are refused where a message ends inside a number', () => {
    for (const cut of [
      [0x39, 1, 2, 3],
      [0x30, 0x80],
      [0x4a, 5, 0x12, 3, 0x21, 1, 2],
    ])
      refuses(request(span({ more: [Buffer.from(cut)] }), span()), Buffer.from(cut).toString('hex'))
  })

  it('are refused or read, never anything else, wherever they are cut off', () => {
    const body = request(
      span({ more: [attribute('k', list(text('a'), map(['b', double(2)]), int(-1)))] }),
    )
    for (let length = 1; length < body.length; length++)
      refuses(body.subarray(0, length), String(length))
  })

  it('are refused or read, never anything else, whatever bytes are changed', () => {
    const body = request(
      span({
        more: [
          attribute('k', list(text('a'), map(['b', double(2)]), int(-1))),
          lenField(15, varintField(3, 1)),
        ],
      }),
    )
    const change = fc.tuple(fc.nat({ max: body.length - 1 }), fc.nat({ max: 255 }))
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = Buffer.from(body)
        for (const [at, byte] of changes) changed[at] = byte
        try {
          decodeRequest(changed)
        } catch (error) {
          assert.ok(error instanceof Refusal && error.status === 400, String(error))
        }
      }),
      { numRuns: 3000 },
    )
  })
})

describe('beside a generated codec', () => {
  const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex')
  const attributesOf = (keyValues: readonly KeyValue[]): Attribute[] =>
    keyValues.map(({ key, value }) => ({ key, value: wanted(value) }))
  function wanted(value: AnyValue | undefined): Value {
    if (value?.stringValue !== undefined) return { kind: 'string', value: value.stringValue }
    if (value?.boolValue !== undefined) return { kind: 'bool', value: value.boolValue }
    if (value?.intValue !== undefined) return { kind: 'int', value: value.intValue }
    if (value?.doubleValue !== undefined) return { kind: 'double', value: value.doubleValue }
    if (value?.bytesValue !== undefined)
      return { kind: 'bytes', value: Uint8Array.from(value.bytesValue) }
    if (value?.arrayValue !== undefined)
      return { kind: 'array', value: value.arrayValue.values.map(wanted) }
    if (value?.kvlistValue !== undefined)
      return { kind: 'map', value: attributesOf(value.kvlistValue.values) }
    return { kind: 'empty', value: null }
  }

  it('reads the same in generated requests', () => {
    const world = worlds()[0]!
    let spans = 0
    for (let seed = 1; seed <= 1500; seed++) {
      const { clean } = encode(requestOf(world.policy, world.nowMs, seed))
      if (clean === undefined) continue
      const message = ExportTraceServiceRequest.decode(clean)
      const found = spansOf(clean)
      const want = message.resourceSpans.flatMap((resource) =>
        resource.scopeSpans.flatMap((scope) => scope.spans),
      )
      assert.deepEqual(
        found,
        want.map(
          (one): DecodedSpan => ({
            traceId: hex(one.traceId),
            spanId: hex(one.spanId),
            parentSpanId: hex(one.parentSpanId),
            name: one.name,
            kind: one.kind,
            startTimeUnixNano: one.startTimeUnixNano,
            endTimeUnixNano: one.endTimeUnixNano,
            attributes: attributesOf(one.attributes),
            statusCode: one.status?.code ?? 0,
            statusMessage: one.status?.message ?? '',
            eventCount: one.events.length,
            linkCount: one.links.length,
          }),
        ),
        `seed ${seed}`,
      )
      spans += found.length
    }
    assert.ok(spans > 1000)
  })
})
