// What an exporter of OTLP is asked for (opentelemetry-proto, docs/specification.md v1.11.0), in
// words of ours, and what the sidecar does when it sends. `does` is the name of the test that shows
// it; `why` tells a deviation.
import type { Point } from './point.ts'

export const EXPORTER = {
  C01: {
    asks: 'A limit of the request, 64 MiB, configurable; what is larger is split, or not sent.',
    does: 'what waits is sent in bodies of about 1 MiB',
    why: 'There is no setting: records are never larger than a request that came in, and a body is closed when it reaches 1 MiB.',
  },
  C02: {
    asks: 'A limit of the answer, 4 MiB; above it no retry.',
    does: 'an answer above 4 MiB is not asked for again, whatever its status',
  },
  C03: {
    asks: 'Content-Type and Content-Encoding say what is sent.',
    does: 'a body is gzip of protobuf, and its headers say so',
  },
  C04: {
    asks: 'A partial success is never sent again.',
    does: 'a partial success is delivered, its rejected spans are counted, and it is not sent again',
  },
  C05: {
    asks: 'What may not be tried again is dropped and counted.',
    does: 'a refused body is dropped, counted, and in sent/ for people to see',
  },
  C06: {
    asks: '429, 502, 503 and 504 are tried again, nothing else.',
    does: 'of all statuses 429, 502, 503 and 504 alone are tried again',
  },
  C07: { asks: '400 is never tried again.', does: 'a body that is answered 400 is sent once' },
  C08: {
    asks: 'Retry-After in seconds or as a date; without it, exponential backoff.',
    does: 'Retry-After is waited for in each of its forms, and without it the wait doubles',
  },
  C09: {
    asks: 'No connection, or none any more: again, with jitter.',
    does: 'a connection that breaks or does not come is tried again after a random wait',
  },
  C10: {
    asks: 'Connections are kept between requests.',
    does: 'the bodies of one drain share a connection',
  },
  C11: {
    asks: 'Several connections at once may be used.',
    does: 'one connection at a time is used',
    why: 'A drain has little to send and no hurry; a single connection tells the least about how many sidecars there are.',
  },
  C12: {
    asks: 'A client of HTTP/2 falls back to HTTP/1.1.',
    does: 'requests are HTTP/1.1 from the start',
  },
  C13: {
    asks: 'gRPC: which codes are tried again.',
    does: 'an endpoint that is not HTTP is refused by its setting',
    why: 'The sidecar sends OTLP over HTTP alone, so there are no codes of gRPC to act on. A collector that takes gRPC takes HTTP as well.',
  },
  C14: {
    asks: 'Whoever asks for less gets less.',
    does: 'a collector that asks for a pause is left alone for it, however much waits',
  },
  C15: {
    asks: 'Requests should not wait for earlier answers.',
    does: 'a body is sent when the one before it is answered',
    why: 'Its receipt is on disk before it leaves, and consent is looked at again before each: one after the other.',
  },
  C16: {
    asks: 'At the end, wait for answers or not; tell what was not delivered.',
    does: 'a stop with a grace waits for the answer, one without cuts it off and keeps the body',
  },
  C17: { asks: 'No empty envelopes.', does: 'where the policy lets nothing out, nothing is sent' },
  C18: {
    asks: 'Several destinations have a queue each.',
    does: 'there is one destination',
    why: 'A policy names the one who gets reports; a second would need a second consent.',
  },
  C19: {
    asks: 'A resend may double what arrived.',
    does: 'a resend has the same bytes, and with them the same usage.batch.id',
  },
  C20: {
    asks: 'flags should be forwarded as they are.',
    does: 'flags never leave',
    why: 'On purpose: the sidecar makes new spans and forwards nothing; bits that an application can set are a channel that no policy sees.',
  },
  C21: {
    asks: 'Status.code in an answer changes nothing.',
    does: 'the HTTP status decides, whatever the google.rpc.Status says',
  },
  C22: {
    asks: 'JSON that is sent has its own rules.',
    does: 'nothing is ever sent as JSON',
    why: 'Protobuf is smaller, and one encoding is one place to look for what leaves.',
  },
} as const satisfies Record<string, Point>
