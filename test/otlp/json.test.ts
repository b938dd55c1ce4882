// OTLP/JSON becomes the protobuf of the same request: every member arrives, unknown ones do not,
// and ids are hex.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeRequest, type Value } from '../../src/otlp/decode.ts'
import { ExportTraceServiceRequest } from '../support/otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import {
  convert,
  firstSpan,
  firstValue,
  IDS,
  inAttribute,
  inSpan,
  inSpans,
  inValue,
  KEPT,
  passed,
  REJECTED,
  SPAN_ID,
  TRACE_ID,
} from '../support/otlp-json-pieces.ts'

/**
 * A message of the generated codec with ids in hex and 64-bit numbers as texts, and nothing where
 * there is nothing.
 */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, its]): [string, unknown] => [name, plain(its)])
  const isNothing = (its: unknown): boolean =>
    its === undefined || its === 0 || (Array.isArray(its) && its.length === 0)
  return Object.fromEntries(
    entries.filter(
      ([name, its]) =>
        !isNothing(its) && (name !== '_unknownFields' || Object.keys(its as object).length > 0),
    ),
  )
}

describe('sound requests', () => {
  it('reads a request of the shape of the official example', () => {
    const example = {
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'my.service' } }] },
          scopeSpans: [
            {
              scope: {
                name: 'my.library',
                version: '1.0.0',
                attributes: [
                  { key: 'my.scope.attribute', value: { stringValue: 'some scope attribute' } },
                ],
              },
              spans: [
                {
                  traceId: TRACE_ID,
                  spanId: SPAN_ID,
                  parentSpanId: 'EEE19B7EC3C1B173',
                  name: "I'm a server span",
                  startTimeUnixNano: '1544712660000000000',
                  endTimeUnixNano: '1544712661000000000',
                  kind: 2,
                  attributes: [{ key: 'my.span.attr', value: { stringValue: 'some value' } }],
                },
              ],
            },
          ],
        },
      ],
    }
    assert.deepEqual(decodeRequest(convert(JSON.stringify(example, null, 2))), {
      resourceSpans: [
        {
          attributes: [{ key: 'service.name', value: { kind: 'string', value: 'my.service' } }],
          scopeSpans: [
            {
              spans: [
                {
                  traceId: '5b8efff798038103d269b633813fc60c',
                  spanId: 'eee19b7ec3c1b174',
                  parentSpanId: 'eee19b7ec3c1b173',
                  name: "I'm a server span",
                  kind: 2,
                  startTimeUnixNano: 1544712660000000000n,
                  endTimeUnixNano: 1544712661000000000n,
                  attributes: [
                    { key: 'my.span.attr', value: { kind: 'string', value: 'some value' } },
                  ],
                  statusCode: 0,
                  statusMessage: '',
                  eventCount: 0,
                  linkCount: 0,
                },
              ],
            },
          ],
        },
      ],
    })
  })

  it('gives a generated codec every member of a trace request', () => {
    const attributes = [{ key: 'a', value: { intValue: '-7' } }]
    const ids = { traceId: TRACE_ID.toLowerCase(), spanId: SPAN_ID }
    const event = { timeUnixNano: '3', name: 'e', attributes, droppedAttributesCount: 4 }
    const link = {
      ...ids,
      traceState: 'b=2',
      attributes,
      droppedAttributesCount: 5,
      flags: 4294967295,
    }
    const counts = {
      droppedAttributesCount: 1,
      droppedEventsCount: 2,
      droppedLinksCount: '4294967295',
    }
    const span = {
      ...ids,
      parentSpanId: SPAN_ID,
      traceState: 'a=1',
      flags: 769,
      name: 'n',
      kind: 5,
      startTimeUnixNano: 1,
      endTimeUnixNano: '18446744073709551615',
      attributes,
      events: [event],
      links: [link],
      status: { message: 'm', code: 2 },
      ...counts,
    }
    const scopeSpans = [
      {
        scope: { name: 's', version: '1', attributes, droppedAttributesCount: 6 },
        spans: [span, { ...span, kind: -1 }],
        schemaUrl: 'u',
      },
    ]
    const message = ExportTraceServiceRequest.decode(
      convert(
        JSON.stringify({
          resourceSpans: [
            { resource: { attributes, droppedAttributesCount: 7 }, scopeSpans, schemaUrl: 'v' },
          ],
        }),
      ),
    )

    const attributesOut = [{ key: 'a', value: { intValue: '-7' } }]
    const idsOut = { traceId: TRACE_ID.toLowerCase(), spanId: SPAN_ID.toLowerCase() }
    const spanOut = {
      ...{
        ...span,
        ...idsOut,
        parentSpanId: idsOut.spanId,
        startTimeUnixNano: '1',
        droppedLinksCount: 4294967295,
      },
      events: [event],
      links: [{ ...link, ...idsOut }],
    }
    const scopeOut = {
      name: 's',
      version: '1',
      attributes: attributesOut,
      droppedAttributesCount: 6,
    }
    assert.deepEqual(plain(message), {
      resourceSpans: [
        {
          resource: { attributes: attributesOut, droppedAttributesCount: 7 },
          scopeSpans: [
            { scope: scopeOut, spans: [spanOut, { ...spanOut, kind: -1 }], schemaUrl: 'u' },
          ],
          schemaUrl: 'v',
        },
      ],
    })
  })

  it('takes an empty request and empty envelopes', () => {
    assert.equal(convert('{}').length, 0)
    assert.equal(convert('{"resourceSpans":[]}').length, 0)
    assert.equal(convert('{"resourceSpans":null}').length, 0)
    assert.deepEqual(
      decodeRequest(convert('{"resourceSpans":[{},{"scopeSpans":[{}]}]}')).resourceSpans,
      [
        { attributes: [], scopeSpans: [] },
        { attributes: [], scopeSpans: [{ spans: [] }] },
      ],
    )
  })

  it('writes long texts, messages and spans with their whole length', () => {
    for (const length of [0, 1, 120, 127, 128, 129, 16_380, 16_384, 2_097_152]) {
      const span = firstSpan(
        inValue(
          `"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[{"stringValue":"${'x'.repeat(length)}"}]}}}]}`,
        ),
      )
      const text: Value = { kind: 'string', value: 'x'.repeat(length) }
      assert.deepEqual(span.attributes, [
        {
          key: 'k',
          value: { kind: 'map', value: [{ key: 'k', value: { kind: 'array', value: [text] } }] },
        },
      ])
    }
  })

  it('ignores unknown members at every level, snake_case ones among them', () => {
    const unknown = '"unknown":{"a":[1,-2.5e+3,{"b":null,"c":[true,false,[]]}],"":"\\u0000"}'
    const value = `{${unknown},"stringValue":"a","string_value":"b","StringValue":"c"}`
    const span = `{${unknown},${IDS},"name":"run","trace_id":"00","start_time_unix_nano":"x","events":[{${unknown}}],"links":[{${unknown}}],"status":{${unknown},"code":2},"attributes":[{${unknown},"key":"k","value":${value}}]}`
    const json = `{${unknown},"resource_spans":[5],"resourceSpans":[{${unknown},"resource":{${unknown}},"scopeSpans":[{${unknown},"scope":{${unknown}},"spans":[${span}]}]}]}`
    assert.deepEqual(passed(json), { ...KEPT, status: 2 })
  })

  it('takes null for absent, for every member', () => {
    assert.deepEqual(
      passed(
        inSpan(
          '"parentSpanId":null,"kind":null,"startTimeUnixNano":null,"status":null,"events":null,"attributes":[{"key":"k","value":{"intValue":null,"stringValue":"a","arrayValue":null}}]',
        ),
      ),
      KEPT,
    )
    assert.deepEqual(firstSpan(inAttribute('"key":null,"value":null')).attributes, [
      { key: '', value: { kind: 'empty', value: null } },
    ])
    assert.deepEqual(firstValue('"arrayValue":{"values":[null,{"intValue":1}]}').value, [
      { kind: 'empty', value: null },
      { kind: 'int', value: 1n },
    ])
  })
})

describe('ids', () => {
  it('are hex of either case', () => {
    const span = firstSpan(
      inSpans(
        '{"traceId":"aAbBcCdDeEfF00112233445566778899","spanId":"ABCDEFabcdef0123","parentSpanId":""}',
      ),
    )
    assert.deepEqual(
      [span.traceId, span.spanId, span.parentSpanId],
      ['aabbccddeeff00112233445566778899', 'abcdefabcdef0123', ''],
    )
  })

  it('may be written with escapes', () => {
    assert.equal(
      firstSpan(inSpans(`{"traceId":"${TRACE_ID}","spanId":"\\u0030${SPAN_ID.slice(1)}"}`)).spanId,
      `0${SPAN_ID.slice(1).toLowerCase()}`,
    )
  })

  it('reject their span, not the request, where they are no ids', () => {
    const good = `{${IDS},"name":"run","attributes":[{"key":"k","value":{"stringValue":"a"}}]}`
    const base64 = Buffer.from(TRACE_ID, 'hex').toString('base64')
    const badTraces = [
      '',
      '0'.repeat(32),
      TRACE_ID.slice(1),
      TRACE_ID.slice(2),
      `${TRACE_ID}00`,
      `${TRACE_ID.slice(1)}g`,
      base64,
      ` ${TRACE_ID.slice(1)}`,
      `\\ud800${TRACE_ID}`,
      '\\u0030'.repeat(1000),
      '\\u0030'.repeat(6000),
    ]
    for (const id of badTraces)
      assert.deepEqual(
        passed(inSpans(`${good},{"traceId":"${id}","spanId":"${SPAN_ID}","name":"run"}`)),
        { ...KEPT, rejected: 1 },
        id,
      )
    for (const id of ['', '0'.repeat(16), SPAN_ID.slice(1), `${SPAN_ID}00`, 'x'.repeat(16)]) {
      assert.deepEqual(
        passed(inSpans(`{"traceId":"${TRACE_ID}","spanId":"${id}","name":"run"},${good}`)),
        { ...KEPT, rejected: 1 },
        id,
      )
    }
    for (const id of ['0', SPAN_ID.slice(1), TRACE_ID, 'zzzzzzzzzzzzzzzz'])
      assert.deepEqual(passed(inSpan(`"parentSpanId":"${id}"`)), REJECTED, id)
    assert.deepEqual(passed(inSpans(`{"spanId":"${SPAN_ID}","name":"run"}`)), REJECTED)
  })
})
