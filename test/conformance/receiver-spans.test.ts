// The points for a receiver about the spans of a request, through the whole sidecar to its disk.
import assert from 'node:assert/strict'
import { decodeRequest } from '../../src/otlp/decode.ts'
import { jsonToProtobuf } from '../../src/otlp/json.ts'
import { FIXED32, lenField, putVarint, tag, varintField } from '../../src/otlp/wire.ts'
import { execution } from '../support/sidecar.ts'
import { attribute, int, keyValue, request, span, text } from '../support/spans.ts'
import {
  JSON_TYPE,
  jsonRequest,
  jsonSpan,
  openSidecar,
  PROTOBUF,
  readAnswer,
  SPAN_ID,
  TRACE_ID,
} from './pipeline.ts'
import { conforms } from './point.ts'

const STAGE = attribute('stage.type', text('bake'))
const stage = (...more: Uint8Array[]): Buffer => span({ name: 'stage', more: [STAGE, ...more] })
const idsAre = (traceId: string, spanId: string): string =>
  `"traceId":"${traceId}","spanId":"${spanId}"`
const fixed32 = (field: number, value: number): Buffer => {
  const bytes = Buffer.alloc(10)
  const end = putVarint(bytes, 0, tag(field, FIXED32))
  return bytes.subarray(0, bytes.writeUInt32LE(value, end))
}

conforms('S09', async (t) => {
  const { sendHttp, sendGrpc, kept } = await openSidecar(t)
  const body = request(
    stage(),
    span({ name: 'stage', traceId: Buffer.alloc(16) }),
    span({ name: 'stage', spanId: Buffer.alloc(7, 1) }),
  )
  const http = await sendHttp(body)
  assert.deepEqual([http.status, readAnswer(http.body)?.rejected], [200, 2])
  const grpc = await sendGrpc(body)
  assert.deepEqual([grpc.grpc, readAnswer(grpc.body.subarray(5))?.rejected], ['0', 2])
  const json = await sendHttp(jsonRequest(jsonSpan(), jsonSpan('', idsAre('', SPAN_ID))), JSON_TYPE)
  assert.equal(
    (JSON.parse(json.body.toString()) as { partialSuccess: { rejectedSpans: string } })
      .partialSuccess.rejectedSpans,
    '1',
  )
  assert.equal((await kept()).length, 3)
})

conforms('S10', async (t) => {
  const { sendHttp } = await openSidecar(t)
  const { body } = await sendHttp(request(span({ traceId: Buffer.alloc(3) })))
  assert.match(
    readAnswer(body)!.message,
    /not valid OTLP\. A trace id has 16 bytes and a span id 8, neither is all zero/,
  )
})

conforms('S20', async (t) => {
  assert.deepEqual(
    jsonToProtobuf(
      Buffer.from(jsonRequest(jsonSpan('', idsAre(TRACE_ID.toUpperCase(), SPAN_ID.toUpperCase())))),
    ),
    jsonToProtobuf(Buffer.from(jsonRequest(jsonSpan()))),
  )
  const { traceId } = decodeRequest(jsonToProtobuf(Buffer.from(jsonRequest(jsonSpan()))))
    .resourceSpans[0]!.scopeSpans[0]!.spans[0]!
  assert.equal(traceId, TRACE_ID)
  const { sendHttp, kept } = await openSidecar(t)
  const base64 = idsAre(
    Buffer.from(TRACE_ID, 'hex').toString('base64'),
    Buffer.from(SPAN_ID, 'hex').toString('base64'),
  )
  const { status, body } = await sendHttp(jsonRequest(jsonSpan('', base64)), JSON_TYPE)
  assert.deepEqual([status, /"rejectedSpans":"1"/.test(body.toString())], [200, true])
  assert.deepEqual(await kept(), [])
})

conforms('S21', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  const finished = (code: string): string => {
    const own = '{"key":"execution.status","value":{"stringValue":"succeeded"}}'
    return jsonRequest(
      `{${idsAre(TRACE_ID, SPAN_ID)},"name":"execution","kind":${code},"status":{"code":${code}},"attributes":[${own}]}`,
    )
  }
  for (const code of ['2', '"STATUS_CODE_ERROR"', '"2"'])
    assert.equal((await sendHttp(finished(code), JSON_TYPE)).status, 200, code)
  const codes = (await kept()).map((one) => one.span.statusCode)
  assert.deepEqual(
    codes.sort((one, other) => one - other),
    [0, 0, 2],
  )
})

conforms('S22', async (t) => {
  const unknown = '"new":{"a":[1,{"b":null}],"spans":[{"name":"x"}]}'
  const value = `{"stringValue":"bake",${unknown}}`
  const one = `{${idsAre(TRACE_ID, SPAN_ID)},"name":"stage","attributes":[{"key":"stage.type","value":${value},${unknown}}],"status":{${unknown}},${unknown}}`
  const whole = `{"resourceSpans":[{"resource":{${unknown}},"scopeSpans":[{"scope":{${unknown}},"spans":[${one}],${unknown}}],${unknown}}],${unknown}}`
  assert.deepEqual(
    decodeRequest(jsonToProtobuf(Buffer.from(whole))).resourceSpans[0]!.scopeSpans[0]!.spans[0]!
      .name,
    'stage',
  )
  const { sendHttp, kept } = await openSidecar(t)
  assert.equal((await sendHttp(whole, JSON_TYPE)).status, 200)
  assert.deepEqual(
    (await kept()).map(({ attributes }) => attributes['stage.type']),
    ['bake'],
  )
})

conforms('S23', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  const snake = jsonRequest(jsonSpan()).replaceAll('traceId', 'trace_id')
  assert.match((await sendHttp(snake, JSON_TYPE)).body.toString(), /"rejectedSpans":"1"/)
  for (const name of ['resourceSpans', 'scopeSpans', 'stringValue']) {
    const body = jsonRequest(jsonSpan()).replace(
      name,
      name.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`),
    )
    assert.equal((await sendHttp(body, JSON_TYPE)).status, 200, name)
  }
  // Of the last one the span is kept, and its attribute has a value of no kind.
  assert.deepEqual(
    (await kept()).map(({ attributes }) => attributes),
    [{ 'stage.type': 'other' }],
  )
})

conforms('S24', () => {
  const largest = '9223372036854775807'
  const times = (quote: string): string =>
    `,"startTimeUnixNano":${quote}1791207999123456789${quote},"endTimeUnixNano":${quote}${2n ** 64n - 1n}${quote}`
  const read = (quote: string) => {
    const value = `,"attributes":[{"key":"n","value":{"intValue":${quote}${largest}${quote}}}]${times(quote)}`
    const json = jsonRequest(`{${idsAre(TRACE_ID, SPAN_ID)},"name":"stage"${value}}`)
    return decodeRequest(jsonToProtobuf(Buffer.from(json))).resourceSpans[0]!.scopeSpans[0]!
      .spans[0]!
  }
  for (const quote of ['', '"']) {
    const one = read(quote)
    assert.deepEqual(
      [one.startTimeUnixNano, one.endTimeUnixNano],
      [1791207999123456789n, 2n ** 64n - 1n],
    )
    assert.equal(one.attributes[0]!.value.value, BigInt(largest))
  }
})

conforms('S35', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  const wrong = [
    { traceId: Buffer.alloc(16) },
    { traceId: Buffer.alloc(15, 1) },
    { traceId: Buffer.alloc(17, 1) },
    { traceId: Buffer.alloc(0) },
    { spanId: Buffer.alloc(8) },
    { spanId: Buffer.alloc(9, 1) },
    { spanId: Buffer.alloc(0) },
    { parentId: Buffer.alloc(7, 1) },
  ]
  const bad = wrong.map((ids) => span({ name: 'stage', more: [STAGE], ...ids }))
  const { status, body } = await sendHttp(
    request(...bad, stage(), span({ name: 'stage', parentId: Buffer.alloc(8), more: [STAGE] })),
  )
  assert.deepEqual([status, readAnswer(body)?.rejected], [200, wrong.length])
  assert.equal((await kept()).length, 2)
})

conforms('S36', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  const { status, body } = await sendHttp(request(stage(fixed32(16, 0xffff_ffff)), stage()))
  assert.deepEqual([status, body.length, (await kept()).length], [200, 0, 2])
  assert.equal(
    (await sendHttp(jsonRequest(jsonSpan(',"flags":4294967295')), JSON_TYPE)).body.toString(),
    '{}',
  )
})

conforms('S37', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  const array = lenField(
    5,
    Buffer.concat([
      lenField(1, text('a')),
      lenField(1, int(1)),
      lenField(1, Buffer.alloc(0)),
      lenField(1, lenField(7, Buffer.of(0xff))),
    ]),
  )
  const map = lenField(6, lenField(1, keyValue('k', array)))
  const values = [Buffer.alloc(0), lenField(7, Buffer.of(0, 0xff)), map, array]
  const spans = values.map((value) =>
    span({ name: 'stage', more: [attribute('stage.type', value), attribute('free', value)] }),
  )
  const { status, body } = await sendHttp(request(...spans))
  assert.deepEqual([status, body.length], [200, 0])
  assert.equal((await kept()).length, values.length)
  for (const { attributes } of await kept())
    assert.ok(['other', undefined].includes(attributes['stage.type'] as string | undefined))
})

conforms('S38', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  // KeyValue.key_strindex is 3, AnyValue.string_value_strindex is 8.
  const besideKey = lenField(
    9,
    Buffer.concat([
      lenField(1, Buffer.from('stage.type')),
      lenField(2, text('bake')),
      varintField(3, 5),
    ]),
  )
  const asValue = attribute('stage.type', varintField(8, 5))
  const { status, body } = await sendHttp(
    request(span({ name: 'stage', more: [besideKey] }), span({ name: 'stage', more: [asValue] })),
  )
  assert.deepEqual([status, body.length], [200, 0])
  const types = (await kept()).map(({ attributes }) => attributes['stage.type'])
  assert.deepEqual([types.length, types.filter((type) => type === 'bake').length], [2, 1])
})

conforms('S39', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  const group = Buffer.concat([Buffer.of(0xfb, 0x7e), varintField(1, 1), Buffer.of(0xfc, 0x7e)])
  const unknown = Buffer.concat([
    varintField(1000, 7),
    lenField(200_000_000, Buffer.from('x')),
    fixed32(99, 1),
    group,
  ])
  const scope = lenField(2, Buffer.concat([lenField(2, stage(unknown)), unknown]))
  assert.equal(
    (await sendHttp(Buffer.concat([lenField(1, Buffer.concat([scope, unknown])), unknown]))).status,
    200,
  )
  assert.equal((await kept()).length, 1)
  // resource_spans as a number; the name of a span as a number; start time as a length.
  for (const body of [
    varintField(1, 1),
    request(varintField(5, 1)),
    request(lenField(7, Buffer.alloc(8))),
  ])
    assert.equal((await sendHttp(body)).status, 400)
  assert.equal((await kept()).length, 1)
})

conforms('S40', async (t) => {
  const sidecar = await openSidecar(t)
  const twice = attribute('stage.type', text('deploy'))
  assert.equal((await sidecar.sendHttp(request(stage(twice)))).status, 200)
  const attributes = '"attributes":[{"key":"stage.type","value":{"stringValue":"bake"}}'
  const json = jsonRequest(jsonSpan()).replace(
    attributes,
    `${attributes},{"key":"stage.type","value":{"stringValue":"bake"}}`,
  )
  assert.equal((await sidecar.sendHttp(json, JSON_TYPE)).status, 200)
  assert.deepEqual(
    (await sidecar.kept()).map((one) => one.attributes),
    [{}, {}],
  )
  assert.equal(sidecar.counters.get('spans.stage.stage.type.left_out'), 2)
})

conforms('S41', async (t) => {
  const { sendHttp, kept, counters } = await openSidecar(t)
  const empty = [
    lenField(1, Buffer.alloc(0)),
    lenField(1, lenField(2, Buffer.alloc(0))),
    lenField(1, lenField(1, Buffer.alloc(0))),
  ]
  for (const body of [...empty, Buffer.concat(empty)])
    assert.equal((await sendHttp(body)).body.length, 0)
  for (const body of [
    '{"resourceSpans":[]}',
    '{"resourceSpans":[{}]}',
    '{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}',
  ])
    assert.equal((await sendHttp(body, JSON_TYPE)).body.toString(), '{}')
  assert.equal(counters.get('requests.accepted'), 7)
  assert.deepEqual(await kept(), [])
})

conforms('S42', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  let groups: Buffer = Buffer.alloc(0)
  for (let i = 0; i < 100; i++)
    groups = Buffer.concat([Buffer.of(0xfb, 0x7e), groups, Buffer.of(0xfc, 0x7e)])
  const negative = Buffer.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)
  const bodies: [Buffer | string, string][] = [
    [Buffer.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x07), PROTOBUF],
    [negative, PROTOBUF],
    [Buffer.of(0x0a, ...new Array<number>(20).fill(0xff)), PROTOBUF],
    [groups, PROTOBUF],
    ['['.repeat(100_000), JSON_TYPE],
    [jsonRequest(jsonSpan(`,"x":${'{"y":'.repeat(100)}1${'}'.repeat(100)}`)), JSON_TYPE],
  ]
  for (const [body, type] of bodies) assert.equal((await sendHttp(body, type)).status, 400)
  // As deep as it likes inside of a value: that is stepped over.
  let deep = text('a')
  for (let i = 0; i < 1000; i++) deep = lenField(5, lenField(1, deep))
  assert.equal((await sendHttp(request(stage(attribute('free', deep))))).status, 200)
  assert.equal((await sendHttp(execution())).status, 200)
  assert.equal((await kept()).length, 2)
})
