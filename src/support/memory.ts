// Gives the memory of a large buffer back at once. The garbage collector sees buffers as small
// objects and frees them only when 32 to 64 MiB are unused (measured, Node 26). A sidecar's
// container has 96 MiB in all. So the code that holds the last reference releases the bytes, and
// real use stays within the limits.

/**
 * Small buffers are slices of a block that Node shares among them. That block cannot be released.
 */
const POOL_BYTES = Buffer.allocUnsafe(1).buffer.byteLength

/**
 * Afterwards no code may read `bytes` or anything else in the same ArrayBuffer.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes
  const own = bytes.byteLength === buffer.byteLength || buffer.byteLength > POOL_BYTES
  if (own && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
