// Reads where a value comes from: `from`, `or`, and the key of an hmac. Keys are exact. There are
// no wildcards.
import { type Source, type SourcePlace, SPAN_SOURCES } from './policy.ts'
import type { Node, YamlReader } from './yaml-reader.ts'

/** Where the outgoing attribute is: in the Resource of a batch, or on a span. */
export type Part = 'resource' | 'spans'

export const MAX_KEY_BYTES = 256
/** The values of the span itself, as they are written. */
const ofSpan = SPAN_SOURCES.map((what) => `span:${what}`)

export const MAX_LISTED_PLACES = 8
const INVALID_PLACE: SourcePlace = { kind: 'text', text: '' }

export function parseSource(reader: YamlReader, node: Node, part: Part): Source {
  const items = reader.list(node)
  if (items === undefined) return parsePlace(reader, node, part)
  if (items.length === 0 || items.length > MAX_LISTED_PLACES)
    reader.error(node, `A list must have 1 to ${MAX_LISTED_PLACES} sources.`)
  const places = items.map((item) => {
    const place = parsePlace(reader, item, part)
    if (place.kind === 'span' && place.what === 'duration')
      reader.error(
        item,
        'A list joins texts, but span:duration is a number. Remove it from the list.',
      )
    return place
  })
  return { kind: 'list', places }
}

function parsePlace(reader: YamlReader, node: Node, part: Part): SourcePlace {
  const text = reader.scalar(node)
  if (
    typeof text !== 'string' ||
    text === '' ||
    Buffer.byteLength(text) > MAX_KEY_BYTES ||
    /[\p{Cc}\p{Cs}]/u.test(text)
  ) {
    reader.error(
      node,
      `A source must be an attribute’s key, resource:KEY, fact:NAME, text:WORDS, ${ofSpan.join(', ')} or a list of these.`,
    )
    return INVALID_PLACE
  }
  if (text.startsWith('text:')) return { kind: 'text', text: text.slice(5) }
  if (text.startsWith('fact:')) {
    const name = text.slice(5)
    if (/^[a-z][a-z0-9_.-]{0,127}$/i.test(name)) return { kind: 'fact', name }
    reader.error(
      node,
      'The name of a fact must have only letters, digits, dots, dashes and underscores, for example fact:app.version.',
    )
    return INVALID_PLACE
  }
  if (part === 'resource') {
    reader.error(
      node,
      'Under `resource` a source must be fact:NAME or text:WORDS. The application’s spans and resource are never read.',
    )
    return INVALID_PLACE
  }
  if (text.startsWith('resource:')) {
    if (text.length > 9) return { kind: 'resource', key: text.slice(9) }
    reader.error(
      node,
      '`resource:` must be followed by the exact key of an incoming resource attribute.',
    )
    return INVALID_PLACE
  }
  if (text.startsWith('span:')) {
    const what = SPAN_SOURCES.find((word) => word === text.slice(5))
    if (what !== undefined) return { kind: 'span', what }
    reader.error(node, `A value of the span itself must be one of: ${ofSpan.join(', ')}.`)
    return INVALID_PLACE
  }
  return { kind: 'attribute', key: text }
}
