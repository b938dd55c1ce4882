// A trace request as a tree of finished pieces, each in two forms: as it goes on the wire, and
// clean, which is what the generated codec is given where the two differ. A piece that is no sound
// protobuf says which class of malformed.md it is; every piece can be taken out alone, so that a
// failing request shrinks to the few that matter.
import type { ResourceFaults, SpanFaults } from './oracle-policy.ts'

export type Bytes = readonly number[]

/** One field, with its tag. */
export interface Piece {
  wire: Bytes
  clean: Bytes
  fault?: {
    class: string
    outcome: 'request' | 'span' | 'status' | 'attribute' | 'resource'
    keys?: readonly string[]
  }
  /** A class that must have no consequence. */
  ignored?: string
  /** It only is what it says at the end of its message. */
  last?: boolean
}

/**
 * A length-delimited field; `pad` makes its length longer than need be. Children of the root are
 * ResourceSpans.
 */
export interface Tree {
  kind: 'span' | 'group' | 'resource'
  field: number
  pad: number
  parts: readonly (Piece | Tree)[]
}

export const isTree = (part: Piece | Tree): part is Tree => 'parts' in part

/** `pad` more bytes than need be. */
export function varint(value: bigint | number, pad = 0): number[] {
  const out: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  out.push(Number(rest))
  for (; pad > 0; pad--) {
    out[out.length - 1]! |= 0x80
    out.push(0)
  }
  return out
}

/** Tags and lengths are at most five bytes. */
export const short = (value: number, pad = 0): number[] => {
  if (pad === 0 && value < 0x80) return [value]
  return varint(value, Math.min(pad, 5 - varint(value).length))
}
export const len = (field: number, content: Bytes, pad = 0): number[] =>
  short(field * 8 + 2, pad).concat(short(content.length, pad), content)
export const integer = (field: number, value: bigint | number, pad = 0): number[] => [
  ...short(field * 8),
  ...varint(value, pad),
]
export function fixed64(field: number, value: bigint): number[] {
  const out = short(field * 8 + 1)
  for (let i = 0n; i < 64n; i += 8n) out.push(Number((value >> i) & 0xffn))
  return out
}
export const fixed32 = (field: number): number[] => [...short(field * 8 + 5), 1, 0, 0, 0]
export const utf8 = (text: string): number[] => [...Buffer.from(text, 'utf8')]

export function double(field: number, value: number): number[] {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return [...short(field * 8 + 1), ...bytes]
}

export const sound = (wire: Bytes): Piece => ({ wire, clean: wire })

export interface Encoded {
  wire: Uint8Array
  /** What the codec is to read; `undefined`: a fault of the whole request. */
  clean: Uint8Array | undefined
  faults: Map<number, SpanFaults>
  requestFault: string | undefined
  ignored: string[]
}

/** `tree.field` of the root is of no account. */
export function encode(tree: Tree): Encoded {
  const faults = new Map<number, SpanFaults>()
  const ignored: string[] = []
  let requestFault: string | undefined
  let span = -1
  let resource: ResourceFaults = { attributes: new Map() }
  const faultsOf = (index: number): SpanFaults => {
    const found: SpanFaults = faults.get(index) ?? { attributes: new Map() }
    faults.set(index, found)
    return found
  }
  const note = (piece: Piece, ofResource: boolean): void => {
    if (piece.ignored !== undefined) ignored.push(piece.ignored)
    const { fault } = piece
    if (fault === undefined) return
    if (fault.outcome === 'request') requestFault = fault.class
    else if (fault.outcome === 'resource') resource.whole = fault.class
    else if (fault.outcome === 'span') faultsOf(span).rejected = fault.class
    else if (fault.outcome === 'status') faultsOf(span).status = fault.class
    else
      for (const key of fault.keys ?? [])
        (ofResource ? resource : faultsOf(span)).attributes.set(key, fault.class)
  }
  const contents = (
    parts: Tree['parts'],
    into: { wire: number[]; clean: number[] },
    depth: number,
    ofResource: boolean,
  ): void => {
    for (const part of parts) {
      if (!isTree(part)) {
        note(part, ofResource)
        append(into.wire, part.wire)
        append(into.clean, part.clean)
        continue
      }
      if (part.kind === 'span') span++
      if (depth === 0) resource = { attributes: new Map() }
      const first = span + 1
      const inner = { wire: [], clean: [] }
      contents(part.parts, inner, depth + 1, part.kind === 'resource')
      append(
        into.wire,
        short(part.field * 8 + 2, part.pad),
        short(inner.wire.length, part.pad),
        inner.wire,
      )
      append(into.clean, short(part.field * 8 + 2), short(inner.clean.length), inner.clean)
      if (depth === 0 && (resource.whole !== undefined || resource.attributes.size > 0))
        for (let index = first; index <= span; index++) faultsOf(index).resource = resource
    }
  }
  const bytes = { wire: [], clean: [] }
  contents(tree.parts, bytes, 0, false)
  return {
    wire: Uint8Array.from(bytes.wire),
    clean: requestFault === undefined ? Uint8Array.from(bytes.clean) : undefined,
    faults,
    requestFault,
    ignored,
  }
}

function append(target: number[], ...more: Bytes[]): void {
  for (const bytes of more) for (let i = 0; i < bytes.length; i++) target.push(bytes[i]!)
}

/** Every tree with one part less, the largest parts first. */
export function* smaller(tree: Tree): IterableIterator<Tree> {
  const without = (index: number, ...instead: (Piece | Tree)[]): Tree => ({
    ...tree,
    parts: tree.parts.toSpliced(index, 1, ...instead),
  })
  for (let index = 0; index < tree.parts.length; index++)
    if (isTree(tree.parts[index]!)) yield without(index)
  for (let index = 0; index < tree.parts.length; index++) {
    const part = tree.parts[index]!
    if (isTree(part)) for (const inner of smaller(part)) yield without(index, inner)
    else yield without(index)
  }
  if (tree.pad > 0) yield { ...tree, pad: 0 }
}
