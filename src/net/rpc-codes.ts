// The gRPC status codes (google/rpc/code.proto) that OTLP answers carry, over gRPC and in the body
// of an HTTP error.

export const RPC = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
}

const BY_STATUS: Record<number, number> = {
  400: RPC.invalidArgument,
  404: RPC.unimplemented,
  405: RPC.unimplemented,
  408: RPC.deadlineExceeded,
  413: RPC.resourceExhausted,
  415: RPC.invalidArgument,
  417: RPC.invalidArgument,
  421: RPC.invalidArgument,
  431: RPC.resourceExhausted,
  503: RPC.unavailable,
}

/** The code for an HTTP status. OTLP over HTTP does not expect clients to act on it. */
export const rpcCodeOf = (status: number): number => BY_STATUS[status] ?? RPC.internal
