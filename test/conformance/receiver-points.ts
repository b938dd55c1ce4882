// What a receiver of OTLP is asked for (opentelemetry-proto, docs/specification.md v1.11.0 and the
// comments of its .proto files), in words of ours, and what our doors do. `does` is the name of the
// test that shows it; `why` tells a deviation.
import type { Point } from './point.ts'

export const RECEIVER = {
  S01: {
    asks: 'Takes gzip and no compression, over HTTP and gRPC.',
    does: 'plain and gzip requests are handed on alike by both doors',
  },
  S02: {
    asks: 'TraceService/Export is a unary call of gRPC; port 4317.',
    does: 'the call exists, and the port is 4317 where no other is set',
  },
  S03: {
    asks: 'gRPC: a limit of the request, inflated too; above it RESOURCE_EXHAUSTED without RetryInfo.',
    does: 'a message above the limit, plain or inflated, is RESOURCE_EXHAUSTED and not for a retry',
  },
  S04: {
    asks: 'The limit should be 64 MiB and configurable.',
    does: 'the limit is 64 MiB, or what USAGE_MAX_BODY says, or less in a small container',
    why: 'JSON has 8 MiB: turning it into protobuf costs several times its size. A container with little memory lowers both, so that no request can end it.',
  },
  S05: {
    asks: 'Many calls at once on one connection; how many should be configurable.',
    does: 'a hundred calls at once on one connection are served, and more of them wait their turn',
    why: 'The number is fixed at what RFC 9113 recommends: nobody asked for a setting.',
  },
  S06: {
    asks: 'The answer is an ExportTraceServiceResponse.',
    does: 'the answer of each door is read by a generated codec',
  },
  S07: {
    asks: 'Full success leaves partial_success unset.',
    does: 'full success is a message of no bytes, in JSON {}',
  },
  S08: {
    asks: 'An empty request should succeed.',
    does: 'a request of no bytes, or {}, succeeds on both doors',
  },
  S09: {
    asks: 'Partial success: 200, and rejected_spans counts.',
    does: 'spans that are not valid are counted in rejected_spans, and the others are kept',
  },
  S10: {
    asks: 'error_message should say in English why, and how to mend it.',
    does: 'the message names the rules that a rejected span broke',
  },
  S11: {
    asks: 'A warning with nothing rejected has a message.',
    does: 'a warning has a message and no count; without either there is no partial_success',
  },
  S12: {
    asks: 'A limit of the answer, 4 MiB, configurable.',
    does: 'no answer is larger than 1 KiB, whatever the request holds',
    why: 'There is no setting, because answers are sentences of ours and hold nothing of a request.',
  },
  S13: {
    asks: 'gRPC: what may be tried again is UNAVAILABLE, bad data INVALID_ARGUMENT.',
    does: 'a full queue is UNAVAILABLE, bad data INVALID_ARGUMENT with a BadRequest',
  },
  S14: {
    asks: 'gRPC: backpressure is UNAVAILABLE, and RetryInfo may say when to come again.',
    does: 'too much at once is UNAVAILABLE with RetryInfo',
  },
  S15: {
    asks: 'RESOURCE_EXHAUSTED is for a retry only with RetryInfo.',
    does: 'RESOURCE_EXHAUSTED never has RetryInfo, and 413 never Retry-After',
  },
  S16: {
    asks: 'HTTP: POST to /v1/traces, port 4318, HTTP/1.1 or HTTP/2.',
    does: 'HTTP/1.1 POST to /v1/traces works, and the port is 4318 where no other is set',
  },
  S17: {
    asks: 'Protobuf is answered as application/x-protobuf.',
    does: 'every answer to protobuf is application/x-protobuf',
  },
  S18: {
    asks: 'JSON is answered as application/json.',
    does: 'every answer to JSON is application/json',
  },
  S19: {
    asks: 'An answer has the Content-Type of its request.',
    does: 'refusals have the Content-Type of their request, and are JSON where it has none of ours',
  },
  S20: {
    asks: 'JSON: ids are hex in either case, not base64.',
    does: 'ids in hex of either case are the same bytes, in base64 they are no ids',
  },
  S21: {
    asks: 'JSON: enums are integers; names are not allowed.',
    does: 'an enum by its name is never taken for its number: it is as if it were not there',
  },
  S22: {
    asks: 'JSON: unknown members are ignored.',
    does: 'members that nobody knows change nothing, at any depth',
  },
  S23: {
    asks: 'JSON: names are lowerCamelCase, others are not valid.',
    does: 'snake_case names are unknown members',
  },
  S24: {
    asks: 'JSON: 64-bit integers are strings or numbers.',
    does: 'intValue and times are read as strings and as numbers, to the last bit',
  },
  S25: {
    asks: 'HTTP: above the limit, inflated too, 413.',
    does: 'a body above the limit, announced, in chunks or inflated, is answered 413',
  },
  S26: {
    asks: 'HTTP: success is 200.',
    does: 'success is 200 with a body in the encoding of the request',
  },
  S27: {
    asks: 'HTTP: failures have a fitting status.',
    does: 'each way to fail has the status that HTTP has for it',
  },
  S28: {
    asks: 'The body of every 4xx and 5xx is a google.rpc.Status.',
    does: 'whatever is refused gets a google.rpc.Status, even bytes that are not HTTP',
  },
  S29: {
    asks: 'Bad data: 400, with a BadRequest in the details.',
    does: 'what can never be decoded is 400 with a BadRequest, and nothing of it is kept',
  },
  S30: {
    asks: 'Overload: 429 or 503, perhaps with Retry-After.',
    does: 'overload is 503 with Retry-After',
  },
  S31: {
    asks: 'Protobuf and JSON on one port, by Content-Type.',
    does: 'both encodings come in on one port, with parameters and in any case',
  },
  S32: {
    asks: 'gRPC and HTTP may share a port.',
    does: 'each port tells the other protocol where to go',
    why: 'Two ports: HTTP/2 is loaded only where a client speaks it, which saves 3 MB in most sidecars.',
  },
  S33: {
    asks: 'Answers may be compressed.',
    does: 'answers are never compressed',
    why: 'They have a few hundred bytes at most, and nearly all have none.',
  },
  S34: {
    asks: 'All else as HTTP says.',
    does: '404, 405 with Allow, 415, 100-continue, chunks, and a connection that goes on after each of them',
  },
  S35: {
    asks: 'Ids are 16 and 8 bytes and not all zero.',
    does: 'a span with an id that is none is rejected alone, and counted',
  },
  S36: {
    asks: 'Nobody may rely on unused bits of flags.',
    does: 'flags with every bit set are as good as none',
  },
  S37: {
    asks: 'Any kind of value may be anywhere.',
    does: 'empty values, bytes, maps and mixed lists are taken in, as values of another kind',
  },
  S38: {
    asks: 'String indices outside of profiles are not fatal.',
    does: 'a string index is as if it were not there, and the rest of its span is kept',
  },
  S39: {
    asks: 'Unknown fields are skipped.',
    does: 'unknown fields and groups of any number are skipped, known ones of another wire type are 400',
  },
  S40: {
    asks: 'Repeated attribute keys: undefined.',
    does: 'an attribute whose key occurs twice is left out and counted, in both encodings',
    why: 'Readers disagree about which of the two counts; nobody must be able to choose by sending both.',
  },
  S41: {
    asks: 'Empty envelopes may be dropped.',
    does: 'empty envelopes are taken in and leave nothing behind',
  },
  S42: {
    asks: 'Depth and lengths are bounded.',
    does: 'what is too deep, too long or negative in length is 400, and the next request is served',
  },
} as const satisfies Record<string, Point>
