// A whole sidecar in mode local for the points about spans: its answers over HTTP and gRPC, and the
// spans it keeps.
import { connect } from 'node:http2'
import type { TestContext } from 'node:test'
import { spansWaiting } from '../support/collector.ts'
import { type Answer, call } from '../support/grpc-receiver.ts'
import { ExportTraceServiceResponse } from '../support/otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import { message } from '../support/raw-http2.ts'
import { type Answered, atEnd, placeOf, post, startHere } from '../support/sidecar.ts'

export const PROTOBUF = 'application/x-protobuf'
export const JSON_TYPE = 'application/json'
export const TRACE_ID = '5b8efff798038103d269b633813fc60c'
export const SPAN_ID = 'eee19b7ec3c1b174'
/** A span that the default policy lets out, in JSON; `more` begins with a comma. */
export const jsonSpan = (
  more = '',
  ids = `"traceId":"${TRACE_ID}","spanId":"${SPAN_ID}"`,
): string =>
  `{${ids},"name":"stage","attributes":[{"key":"stage.type","value":{"stringValue":"bake"}}]${more}}`
export const jsonRequest = (...spans: string[]): string =>
  `{"resourceSpans":[{"scopeSpans":[{"spans":[${spans.join(',')}]}]}]}`

export async function openSidecar(t: TestContext, env: Record<string, string> = {}) {
  const place = await placeOf(t, { USAGE_REPORTING: 'local', ...env })
  const sidecar = await startHere(t, place)
  const sendHttp = (
    body: Uint8Array | string,
    type = PROTOBUF,
    more: Record<string, string> = {},
  ): Promise<Answered> => post(sidecar.port(), body, { 'content-type': type, ...more })
  const sendGrpc = async (body: Uint8Array): Promise<Answer> => {
    const session = connect(`http://127.0.0.1:${sidecar.grpcPort()}`)
    atEnd(t, async () => session.destroy())
    return call(session, message(body))
  }
  return { ...sidecar, sendHttp, sendGrpc, kept: () => spansWaiting(place.dataFolder) }
}

/** What an answer to protobuf says; read by a generated codec. */
export function readAnswer(body: Uint8Array): { rejected: number; message: string } | undefined {
  const { partialSuccess } = ExportTraceServiceResponse.decode(body)
  return (
    partialSuccess && {
      rejected: Number(partialSuccess.rejectedSpans),
      message: partialSuccess.errorMessage,
    }
  )
}
