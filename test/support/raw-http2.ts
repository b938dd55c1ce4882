// HTTP/2 frame by frame (RFC 9113), for clients that do what no library lets them do. Header blocks
// are literals without an index (RFC 7541 6.2.2), so nothing must be remembered from one to the
// next.
import { connect, type Socket } from 'node:net'

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
}
export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Length with a prefix of seven bits, then the bytes. */
function literal(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.of(...length, rest), bytes])
}

export const headerBlock = (headers: Record<string, string>): Buffer =>
  Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [
      Buffer.of(0),
      literal(name),
      literal(value),
    ]),
  )

export const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
export const METRICS = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
export const CALL = {
  ':method': 'POST',
  ':scheme': 'http',
  ':path': EXPORT,
  ':authority': 'localhost',
  'content-type': 'application/grpc',
  te: 'trailers',
}
export const callHead = (
  stream: number,
  flags = END_HEADERS,
  more: Record<string, string> = {},
): Buffer => frame(TYPE.headers, flags, stream, headerBlock({ ...CALL, ...more }))

export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

/** A setting is an identifier and a value. */
export const setting = (id: number, value: number): Buffer =>
  Buffer.concat([Buffer.of(0, id), u32(value)])

/** One message of gRPC. */
export function message(bytes: Uint8Array, compressed = 0): Buffer {
  return Buffer.concat([Buffer.of(compressed), u32(bytes.length), bytes])
}

export interface Frame {
  type: number
  flags: number
  stream: number
  payload: Buffer
}

export interface RawClient {
  socket: Socket
  /** All that came so far. */
  frames: Frame[]
  closed: Promise<void>
  isClosed(): boolean
}

/** Connected, with the preface and these settings sent. */
export async function openRaw(
  port: number,
  settings: Uint8Array = Buffer.alloc(0),
): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1')
  const frames: Frame[] = []
  let rest: Buffer = Buffer.alloc(0)
  let isClosed = false
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) =>
    socket.on('close', () => {
      isClosed = true
      resolve()
    }),
  )
  socket.on('data', (part: Buffer) => {
    rest = Buffer.concat([rest, part])
    for (; rest.length >= 9; ) {
      const length = rest.readUIntBE(0, 3)
      if (rest.length < 9 + length) break
      frames.push({
        type: rest[3]!,
        flags: rest[4]!,
        stream: rest.readUInt32BE(5),
        payload: Buffer.from(rest.subarray(9, 9 + length)),
      })
      rest = rest.subarray(9 + length)
    }
  })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  socket.write(Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0, settings)]))
  return { socket, frames, closed, isClosed: () => isClosed }
}
