// The messages of a trace request, read from the official definitions in otlp-proto/, so that a
// test which walks them meets a field that OTLP adds.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const PROTOS = join(import.meta.dirname, 'otlp-proto')

export interface FieldDefinition {
  name: string
  number: number
  /** A scalar of protobuf, or the bare name of a message or an enum. */
  type: string
  repeated: boolean
  /** One of several of which a message has one. */
  oneof: boolean
}

export interface Definitions {
  messages: ReadonlyMap<string, readonly FieldDefinition[]>
  enums: ReadonlySet<string>
}

export function readDefinitions(): Definitions {
  const messages = new Map<string, FieldDefinition[]>()
  const enums = new Set<string>()
  const names = readdirSync(PROTOS, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.proto'),
  )
  for (const name of names) readFile(readFileSync(join(PROTOS, name), 'utf8'), messages, enums)
  return { messages, enums }
}

const TOKEN =
  /\b(message|enum|oneof|service)\s+(\w+)\s*\{|\{|\}|(repeated\s+)?([\w.]+)\s+(\w+)\s*=\s*(\d+)\s*(?:\[[^\]]*\])?;|\b(?:syntax|option)\s[^;]*;/g

function readFile(
  text: string,
  messages: Map<string, FieldDefinition[]>,
  enums: Set<string>,
): void {
  const open: { kind: string; name: string }[] = []
  for (const [token, kind, name, repeated, type, field, number] of text
    .replace(/\/\/.*$|\/\*[\s\S]*?\*\//gm, '')
    .matchAll(TOKEN)) {
    if (kind !== undefined && name !== undefined) {
      open.push({ kind, name })
      if (kind === 'enum') enums.add(name)
      if (kind === 'message') {
        if (messages.has(name)) throw new Error(`two messages are called ${name}`)
        messages.set(name, [])
      }
    } else if (token === '{') open.push({ kind: 'block', name: '' })
    else if (token === '}') open.pop()
    else if (
      type !== undefined &&
      field !== undefined &&
      ['message', 'oneof'].includes(open.at(-1)?.kind ?? '')
    ) {
      const message = open.findLast((one) => one.kind === 'message')!.name
      const bare = type.slice(type.lastIndexOf('.') + 1)
      const oneof = open.at(-1)!.kind === 'oneof'
      messages.get(message)!.push({
        name: field,
        number: Number(number),
        type: bare,
        repeated: repeated !== undefined,
        oneof,
      })
    }
  }
}
