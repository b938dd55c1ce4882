// What OTLP asks of an exporter (opentelemetry-proto, docs/specification.md v1.11.0), and what the
// sidecar does. `does` is the name of the test, `why` explains a deviation.
import type { Point } from './point.ts'

export const EXPORTER = {
  C01: {
    asks: 'Limit the request to 64 MiB, configurable. Split or drop what is larger.',
    does: 'sends queued records in bodies of about 1 MiB',
    why: 'There is no setting. A record is never larger than a received request, and a body ends when it reaches 1 MiB.',
  },
  C02: {
    asks: 'Limit the answer to 4 MiB. Do not retry above it.',
    does: 'does not retry after an answer over 4 MiB, whatever its status',
  },
  C03: {
    asks: 'Content-Type and Content-Encoding describe the body.',
    does: 'sends gzip of protobuf, with the headers that say so',
  },
  C04: {
    asks: 'Never retry after a partial success.',
    does: 'takes a partial success as delivered, counts its rejected spans, and does not send it again',
  },
  C05: {
    asks: 'Drop and count what must not be retried.',
    does: 'drops and counts a refused body, and keeps it in sent/ for people to read',
  },
  C06: {
    asks: 'Retry after 429, 502, 503 and 504, and after no other status.',
    does: 'retries after 429, 502, 503 and 504 and after no other status',
  },
  C07: {
    asks: 'Never retry after 400.',
    does: 'sends a body that is answered 400 once',
  },
  C08: {
    asks: 'Obey Retry-After in seconds or as a date. Otherwise use exponential backoff.',
    does: 'waits for Retry-After in both forms, and otherwise doubles the wait',
  },
  C09: {
    asks: 'Retry with jitter if a connection fails.',
    does: 'retries a failed connection after a random wait',
  },
  C10: {
    asks: 'Keep connections open between requests.',
    does: 'sends the bodies of one drain over one connection',
  },
  C11: {
    asks: 'Several connections at once are allowed.',
    does: 'uses one connection at a time',
    why: 'A drain has little to send and no hurry. A single connection says the least about the number of sidecars.',
  },
  C12: {
    asks: 'A client of HTTP/2 falls back to HTTP/1.1.',
    does: 'sends HTTP/1.1 from the start',
  },
  C13: {
    asks: 'gRPC: retry after certain codes.',
    does: 'refuses an endpoint that is not HTTP when it reads the setting',
    why: 'The sidecar sends OTLP over HTTP only, so no gRPC codes arrive. A collector that accepts gRPC accepts HTTP as well.',
  },
  C14: {
    asks: 'Send less to a receiver that asks for less.',
    does: 'pauses as long as a collector asks, however much is queued',
  },
  C15: {
    asks: 'Requests should not wait for earlier answers.',
    does: 'sends a body after the previous one is answered',
    why: 'The receipt of a body is on disk before the body is sent, and consent is checked before each. So they are sent one by one.',
  },
  C16: {
    asks: 'At shutdown, wait for answers or not. Report what was not delivered.',
    does: 'waits for the answer if the stop has a grace period, and otherwise cancels the request and keeps the body',
  },
  C17: {
    asks: 'Send no empty envelopes.',
    does: 'sends nothing if the policy lets nothing out',
  },
  C18: {
    asks: 'Each of several destinations has its own queue.',
    does: 'has one destination',
    why: 'A policy names the one receiver of the reports. A second receiver would need a second consent.',
  },
  C19: {
    asks: 'A retry may duplicate data.',
    does: 'sends the same bytes again, with the same usage.batch.id',
  },
  C20: {
    asks: 'flags should be forwarded unchanged.',
    does: 'never sends flags',
    why: 'The sidecar makes new spans and forwards nothing. Bits that an application can set would be a channel that no policy sees.',
  },
  C21: {
    asks: 'Status.code in an answer has no effect.',
    does: 'decides by the HTTP status, whatever the google.rpc.Status says',
  },
  C22: {
    asks: 'Follow the rules of JSON when sending it.',
    does: 'never sends JSON',
    why: 'Protobuf is smaller, and one encoding is easier to inspect.',
  },
} as const satisfies Record<string, Point>
