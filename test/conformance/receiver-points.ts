// What OTLP asks of a receiver (opentelemetry-proto, docs/specification.md v1.11.0 and the comments
// of its .proto files), and what ours does. `does` is the name of the test, `why` explains a
// deviation.
import type { Point } from './point.ts'

export const RECEIVER = {
  S01: {
    asks: 'Accept gzip and no compression, over HTTP and gRPC.',
    does: 'accepts plain and gzip requests over HTTP and gRPC',
  },
  S02: {
    asks: 'Offer TraceService/Export as a unary gRPC call on port 4317.',
    does: 'serves the call, on port 4317 by default',
  },
  S03: {
    asks: 'gRPC: limit the request, also when inflated. Answer RESOURCE_EXHAUSTED without RetryInfo above it.',
    does: 'refuses a message over the limit, plain or inflated, with RESOURCE_EXHAUSTED and no retry',
  },
  S04: {
    asks: 'The limit should be 64 MiB and configurable.',
    does: 'limits a request to 64 MiB, to USAGE_MAX_BODY, or to less in a small container',
    why: 'JSON is limited to 8 MiB, because its conversion to protobuf takes several times its size. A container with little memory lowers both limits, so that no request can end the process.',
  },
  S05: {
    asks: 'Serve concurrent calls on one connection. Their number should be configurable.',
    does: 'serves 100 concurrent calls on one connection, and more of them later',
    why: 'The number is fixed at the minimum that RFC 9113 recommends. Nobody has asked for a setting.',
  },
  S06: {
    asks: 'Answer with an ExportTraceServiceResponse.',
    does: 'answers over HTTP and gRPC with a message that a generated codec reads',
  },
  S07: {
    asks: 'Leave partial_success unset on full success.',
    does: 'answers full success with an empty message, in JSON {}',
  },
  S08: {
    asks: 'An empty request should succeed.',
    does: 'accepts an empty request, or {}, over HTTP and gRPC',
  },
  S09: {
    asks: 'Answer partial success with 200 and count in rejected_spans.',
    does: 'counts invalid spans in rejected_spans and keeps the others',
  },
  S10: {
    asks: 'error_message should explain in English why, and how to fix it.',
    does: 'names the rules that a rejected span broke',
  },
  S11: {
    asks: 'Send a warning as a message without rejected spans.',
    does: 'sends a warning as a message without a count, and otherwise no partial_success',
  },
  S12: {
    asks: 'Limit the answer to 4 MiB, configurable.',
    does: 'never answers with more than 1 KiB, whatever the request contains',
    why: 'There is no setting, because answers contain only our own sentences and nothing from a request.',
  },
  S13: {
    asks: 'gRPC: use UNAVAILABLE for retryable errors and INVALID_ARGUMENT for bad data.',
    does: 'answers a full queue with UNAVAILABLE, and bad data with INVALID_ARGUMENT and a BadRequest',
  },
  S14: {
    asks: 'gRPC: use UNAVAILABLE for backpressure. RetryInfo may give the delay.',
    does: 'answers too much data at once with UNAVAILABLE and RetryInfo',
  },
  S15: {
    asks: 'RESOURCE_EXHAUSTED is retryable only with RetryInfo.',
    does: 'never sends RetryInfo with RESOURCE_EXHAUSTED, or Retry-After with 413',
  },
  S16: {
    asks: 'HTTP: accept POST to /v1/traces on port 4318, over HTTP/1.1 or HTTP/2.',
    does: 'accepts HTTP/1.1 POST to /v1/traces, on port 4318 by default',
  },
  S17: {
    asks: 'Answer protobuf with application/x-protobuf.',
    does: 'answers every protobuf request with application/x-protobuf',
  },
  S18: {
    asks: 'Answer JSON with application/json.',
    does: 'answers every JSON request with application/json',
  },
  S19: {
    asks: 'Answer with the Content-Type of the request.',
    does: 'refuses with the Content-Type of the request, and with JSON if it is neither protobuf nor JSON',
  },
  S20: {
    asks: 'JSON: read ids as hex in either case, not as base64.',
    does: 'reads hex ids of either case as the same bytes, and takes base64 for no id',
  },
  S21: {
    asks: 'JSON: read enums as integers. Names are not allowed.',
    does: 'ignores an enum that is given by its name',
  },
  S22: {
    asks: 'JSON: ignore unknown members.',
    does: 'ignores unknown members at any depth',
  },
  S23: {
    asks: 'JSON: read names in lowerCamelCase. Others are invalid.',
    does: 'ignores snake_case names as unknown members',
  },
  S24: {
    asks: 'JSON: read 64-bit integers as strings or numbers.',
    does: 'reads intValue and times as strings and as numbers, to the last bit',
  },
  S25: {
    asks: 'HTTP: answer 413 above the limit, also when inflated.',
    does: 'refuses a body over the limit with 413, whether announced, in chunks or inflated',
  },
  S26: {
    asks: 'HTTP: answer success with 200.',
    does: 'answers success with 200 and a body in the encoding of the request',
  },
  S27: {
    asks: 'HTTP: answer failures with a suitable status.',
    does: 'answers each failure with the HTTP status for it',
  },
  S28: {
    asks: 'Every 4xx and 5xx has a google.rpc.Status as its body.',
    does: 'answers every refusal with a google.rpc.Status, also bytes that are not HTTP',
  },
  S29: {
    asks: 'Answer bad data with 400 and a BadRequest in the details.',
    does: 'refuses undecodable data with 400 and a BadRequest, and keeps nothing of it',
  },
  S30: {
    asks: 'Answer overload with 429 or 503. Retry-After is optional.',
    does: 'answers overload with 503 and Retry-After',
  },
  S31: {
    asks: 'Accept protobuf and JSON on one port, by Content-Type.',
    does: 'accepts both encodings on one port, with parameters and in any letter case',
  },
  S32: {
    asks: 'gRPC and HTTP may share a port.',
    does: 'answers the other protocol on each port with the right port',
    why: 'There are two ports. HTTP/2 is loaded only for a client that uses it, which saves 3 MB in most sidecars.',
  },
  S33: {
    asks: 'Answers may be compressed.',
    does: 'never compresses answers',
    why: 'Most answers are empty, and the others have a few hundred bytes.',
  },
  S34: {
    asks: 'Follow HTTP in everything else.',
    does: 'answers 404, 405 with Allow, 415, 100-continue and chunks, and keeps the connection open',
  },
  S35: {
    asks: 'Ids have 16 and 8 bytes and are not all zero.',
    does: 'rejects a span with an invalid id, counts it, and keeps the others',
  },
  S36: {
    asks: 'Do not rely on unused bits of flags.',
    does: 'treats flags with every bit set like no flags',
  },
  S37: {
    asks: 'Any kind of value may be anywhere.',
    does: 'accepts empty values, bytes, maps and mixed lists as values of another kind',
  },
  S38: {
    asks: 'String indices outside of profiles are not fatal.',
    does: 'ignores a string index and keeps the rest of its span',
  },
  S39: {
    asks: 'Skip unknown fields.',
    does: 'skips unknown fields and groups, and refuses known fields of another wire type with 400',
  },
  S40: {
    asks: 'Repeated attribute keys are undefined.',
    does: 'leaves out and counts an attribute with a repeated key, in both encodings',
    why: 'Readers disagree about which of the two counts. Nobody must be able to choose by sending both.',
  },
  S41: {
    asks: 'Empty envelopes may be dropped.',
    does: 'accepts empty envelopes and stores nothing for them',
  },
  S42: {
    asks: 'Limit depth and lengths.',
    does: 'refuses what is too deep, too long or negative in length with 400, and serves the next request',
  },
} as const satisfies Record<string, Point>
