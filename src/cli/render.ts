// An OTLP request as people read it. Used for what left or would leave, so what it prints is
// policed data.
import { type Attribute, decodeRequest, type Value } from '../otlp/decode.ts'

/** `bytes`: a request, whole files of queue/ included. */
export function renderRequest(bytes: Uint8Array): string {
  const lines: string[] = []
  decodeRequest(bytes).resourceSpans.forEach((resourceSpans, index) => {
    lines.push(
      `batch ${index + 1}`,
      ...resourceSpans.attributes.map((attribute) => `  ${renderAttribute(attribute)}`),
    )
    for (const span of resourceSpans.scopeSpans.flatMap(({ spans }) => spans)) {
      lines.push(
        `  span ${span.name}`,
        `    trace ${span.traceId}  span ${span.spanId}${span.parentSpanId === '' ? '' : `  parent ${span.parentSpanId}`}`,
      )
      lines.push(
        `    time ${renderTime(span.startTimeUnixNano)}${span.statusCode === 0 ? '' : `  status ${span.statusCode === 1 ? 'ok' : 'error'}`}`,
      )
      lines.push(...span.attributes.map((attribute) => `    ${renderAttribute(attribute)}`))
    }
  })
  return `${lines.join('\n')}\n`
}

export function renderAttribute({ key, value }: Attribute): string {
  return `${key.padEnd(22)} ${renderValue(value)}`
}

/** Values that leave are words, numbers and booleans; the rest is for files that are not ours. */
function renderValue(value: Value): string {
  switch (value.kind) {
    case 'empty':
      return ''
    case 'bytes':
      return Buffer.from(value.value).toString('hex')
    case 'array':
      return `[${value.value.map(renderValue).join(', ')}]`
    case 'map':
      return `{${value.value.map((entry) => `${entry.key}: ${renderValue(entry.value)}`).join(', ')}}`
    default:
      return String(value.value)
  }
}

/** The times that leave are cut to a day, an hour or a minute. */
function renderTime(unixNano: bigint): string {
  return new Date(Number(unixNano / 1_000_000n))
    .toISOString()
    .replace('T00:00:00.000Z', '')
    .replace(':00.000Z', 'Z')
}
