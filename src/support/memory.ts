// Gives the memory of a large buffer back now. The garbage collector sees buffers as small objects:
// it comes when 32 to 64 MiB of them are waiting (measured, Node 26), and a sidecar's container has
// 96 in all. So whoever holds the last reference to bytes of the road says so, and what the limits
// allow is what the process really uses.

/** Small buffers are slices of a block that Node shares among them; it cannot be given back. */
const POOL_BYTES = Buffer.allocUnsafe(1).buffer.byteLength

/**
 * Nobody may look at `bytes`, or at anything else that lies in the same ArrayBuffer, ever again.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes
  const own = bytes.byteLength === buffer.byteLength || buffer.byteLength > POOL_BYTES
  if (own && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
