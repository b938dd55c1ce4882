// Resources for requests under a policy that reads them: attributes near what it names, everything
// legal beside them, and the faults that make one attribute, or the whole resource, malformed.
import {
  type Bytes,
  encode,
  fixed32,
  fixed64,
  integer,
  len,
  type Piece,
  short,
  sound,
  type Tree,
  utf8,
} from './otlp-pieces.ts'
import { attribute, NOT_UTF8 } from './otlp-values.ts'
import type { Vocabulary } from './otlp-vocabulary.ts'
import type { Rng } from './rng.ts'

/** ResourceSpans.resource and Resource.attributes. */
const RESOURCE = 1
const ATTRIBUTES = 1

export function resource(rng: Rng, { keys }: Vocabulary): Piece | Tree {
  const parts: Piece[] = []
  const otherKey = (): string => (rng.chance(50) ? rng.pick(keys).key : 'host.name')
  for (const { key, values } of keys) {
    if (rng.chance(15)) continue
    parts.push(attribute(rng, key, values, true, otherKey(), ATTRIBUTES))
    if (rng.chance(2)) parts.unshift(attribute(rng, key, values, true, otherKey(), ATTRIBUTES))
  }
  for (let i = rng.below(3); i > 0; i--)
    parts.push(
      attribute(rng, rng.pick(['host.name', 'process.pid', '']), [], false, otherKey(), ATTRIBUTES),
    )
  if (rng.chance(20)) parts.push(rng.pick(beside()))
  if (rng.chance(4)) parts.push({ ...wholeFault(rng), clean: [] })
  const tree: Tree = {
    kind: 'resource',
    field: RESOURCE,
    pad: rng.chance(3) ? rng.below(4) : 0,
    parts,
  }
  if (!rng.chance(4)) return tree
  // Two as one piece, so that shrinking never leaves one of them that still says there are two.
  const { wire } = encode({ kind: 'group', field: 0, pad: 0, parts: [tree] })
  const between = rng.chance(50) ? [] : len(3, utf8('https://example.org/schema'))
  const second = rng.chance(30) ? len(RESOURCE, []) : [...wire]
  const both = rng.chance(50) ? [...wire, ...between, ...second] : [...second, ...between, ...wire]
  return { wire: both, clean: [], fault: { class: 'repeated-resource', outcome: 'resource' } }
}

/** What stands in a Resource and is not read. */
function beside(): Piece[] {
  return [
    sound(integer(2, 7)),
    sound(len(3, len(1, utf8('https://example.org/schema')))),
    { ...sound(len(9, utf8('secret'))), ignored: 'unknown-field' },
    { ...sound(fixed64(400, 1n)), ignored: 'unknown-field' },
    { ...sound([...short(5 * 8 + 3), ...integer(1, 5), ...short(5 * 8 + 4)]), ignored: 'group' },
    { wire: len(3, NOT_UTF8[0]!), clean: [], ignored: 'utf8-unlisted' },
  ]
}

function wholeFault(rng: Rng): Pick<Piece, 'wire' | 'fault' | 'last'> {
  const wrong: Bytes[] = [
    integer(1, 5),
    fixed64(1, 1n),
    fixed32(2),
    len(2, [1]),
    integer(3, 1),
    [0, 1],
    [7, 1],
    [0x0b, 0x14],
    short(9 * 8 + 4),
  ]
  const cut: Bytes[] = [
    [0x0a],
    [0x0a, 5, 1],
    [0x12, 0x80],
    [0x10],
    [0x4a, 9, 1],
    [0x2b, 0x08, 1],
    [0x8a],
  ]
  const last = rng.chance(50)
  return {
    wire: rng.pick(last ? cut : wrong),
    fault: { class: 'resource', outcome: 'resource' },
    last,
  }
}
