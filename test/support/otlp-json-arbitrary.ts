// Any request that `decodeRequest` can give, with JSON that says it in one of many ways: members in
// any order, texts with and without escapes, numbers as texts, white space, unknown members.
import fc from 'fast-check'
import type { Attribute, DecodedSpan, Value } from '../../src/otlp/decode.ts'

const textOf = (value: string): fc.Arbitrary<string> =>
  fc.constantFrom('plain', 'escaped', 'ascii').map((way) => {
    if (way === 'plain') return JSON.stringify(value)
    const escaped = (part: string): string =>
      part
        .split('')
        .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
        .join('')
    return way === 'escaped'
      ? `"${escaped(value)}"`
      : JSON.stringify(value).replaceAll(/[\u007f-\uffff]+/g, escaped)
  })

type Said<T> = { value: T; json: string }
const said = <T>(
  value: fc.Arbitrary<T>,
  json: (value: T) => fc.Arbitrary<string>,
): fc.Arbitrary<Said<T>> =>
  value.chain((one) => json(one).map((text) => ({ value: one, json: text })))
const text = said(fc.string({ unit: 'grapheme', maxLength: 40 }), textOf)
const wholeNumber = (of: fc.Arbitrary<bigint>): fc.Arbitrary<Said<bigint>> =>
  said(of, (value) => fc.constantFrom(`"${value}"`, String(value)))
const double = said(fc.double(), (value) =>
  fc.constant(
    Number.isFinite(value) && !Object.is(value, -0)
      ? JSON.stringify(value)
      : Object.is(value, -0)
        ? '-0'
        : `"${value}"`,
  ),
)
const NOISE = ['"x":[{"y":null}]', '"trace_id":1', '"Key":"k"']
const objectOf = (members: [string, string][]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.shuffledSubarray(members, { minLength: members.length }),
      fc.constantFrom('', ' ', '\n\t'),
      fc.option(fc.constantFrom(...NOISE)),
    )
    .map(([order, gap, noise]) => {
      const parts = order.map(([name, json]) => `"${name}"${gap}:${gap}${json}`)
      return `{${gap}${[...(noise === null ? [] : [noise]), ...parts].join(`${gap},`)}${gap}}`
    })

const { value: valueArbitrary } = fc.letrec<{ value: Said<Value>; attribute: Said<Attribute> }>(
  (tie) => {
    const scalar = <K extends Value['kind'], T>(
      kind: K,
      name: string,
      of: fc.Arbitrary<Said<T>>,
    ): fc.Arbitrary<Said<Value>> =>
      of.chain(({ value, json }) =>
        objectOf([[name, json]]).map((text) => ({ value: { kind, value } as Value, json: text })),
      )
    const listOf = <T>(
      kind: 'array' | 'map',
      name: string,
      item: fc.Arbitrary<Said<T>>,
    ): fc.Arbitrary<Said<Value>> =>
      fc.array(item, { maxLength: 4 }).map((items) => ({
        value: { kind, value: items.map(({ value }) => value) } as Value,
        json: `{"${name}":{"values":[${items.map(({ json }) => json).join()}]}}`,
      }))
    const bytes = said(fc.uint8Array({ maxLength: 200 }), (value) =>
      fc
        .constantFrom('base64' as const, 'base64url' as const)
        .map((way) => `"${Buffer.from(value).toString(way)}"`),
    )
    return {
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constant<Said<Value>>({ value: { kind: 'empty', value: null }, json: '{}' }),
        scalar('string', 'stringValue', text),
        scalar(
          'int',
          'intValue',
          wholeNumber(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        ),
        scalar(
          'bool',
          'boolValue',
          said(fc.boolean(), (value) => fc.constant(String(value))),
        ),
        scalar('double', 'doubleValue', double),
        scalar('bytes', 'bytesValue', bytes),
        listOf('array', 'arrayValue', tie('value')),
        listOf('map', 'kvlistValue', tie('attribute')),
      ),
      attribute: fc.tuple(text, tie('value')).chain(([key, value]) =>
        objectOf([
          ['key', key.json],
          ['value', value.json],
        ]).map((json) => ({ value: { key: key.value, value: value.value }, json })),
      ),
    }
  },
)
const attributesArbitrary = fc
  .array(fc.tuple(text, valueArbitrary), { maxLength: 6 })
  .chain((pairs) =>
    fc
      .tuple(
        ...pairs.map(([key, value]) =>
          objectOf([
            ['key', key.json],
            ['value', value.json],
          ]),
        ),
      )
      .map((texts) => ({
        value: pairs.map(([key, value]): Attribute => ({ key: key.value, value: value.value })),
        json: `[${texts.join()}]`,
      })),
  )
const hexId = (bytes: number): fc.Arbitrary<Said<string>> =>
  said(
    fc
      .uint8Array({ minLength: bytes, maxLength: bytes })
      .map((id) => Buffer.from(id).toString('hex')),
    (id) => fc.constantFrom(`"${id}"`, `"${id.toUpperCase()}"`),
  )
const time = wholeNumber(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
const small = (max: number): fc.Arbitrary<Said<number>> =>
  said(fc.nat({ max }), (value) => fc.constant(String(value)))

const spanArbitrary = fc
  .record({
    traceId: hexId(16),
    spanId: hexId(8),
    parentSpanId: hexId(8),
    name: text,
    kind: small(5),
    startTimeUnixNano: time,
    endTimeUnixNano: time,
    attributes: attributesArbitrary,
    code: small(2),
    message: text,
    events: fc.nat({ max: 3 }),
    links: fc.nat({ max: 3 }),
  })
  .chain(({ code, message, events, links, ...plain }) => {
    const members = Object.entries(plain).map(([name, { json }]): [string, string] => [name, json])
    members.push(['status', `{"message":${message.json},"code":${code.json}}`])
    members.push(
      ['events', `[${Array.from({ length: events }, () => `{"name":${message.json}}`).join()}]`],
      [
        'links',
        `[${Array.from({ length: links }, () => `{"traceId":${plain.traceId.json}}`).join()}]`,
      ],
    )
    const values = Object.fromEntries(
      Object.entries(plain).map(([name, { value }]) => [name, value]),
    ) as unknown as DecodedSpan
    return objectOf(members).map(
      (json): Said<DecodedSpan> => ({
        value: {
          ...values,
          statusCode: code.value,
          statusMessage: message.value,
          eventCount: events,
          linkCount: links,
        },
        json,
      }),
    )
  })
export const requestArbitrary = fc
  .array(
    fc.tuple(
      attributesArbitrary,
      fc.array(fc.array(spanArbitrary, { maxLength: 3 }), { maxLength: 2 }),
    ),
    { maxLength: 2 },
  )
  .map((resources) => ({
    value: {
      resourceSpans: resources.map(([attributes, scopes]) => ({
        attributes: attributes.value,
        scopeSpans: scopes.map((spans) => ({ spans: spans.map(({ value }) => value) })),
      })),
    },
    json: `{"resourceSpans":[${resources
      .map(
        ([attributes, scopes]) =>
          `{"resource":{"attributes":${attributes.json}},"scopeSpans":[${scopes.map((spans) => `{"scope":{"name":"s"},"spans":[${spans.map(({ json }) => json).join()}]}`).join()}]}`,
      )
      .join()}]}`,
  }))
