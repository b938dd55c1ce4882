// The parts of an overlay that choose among the values of an attribute: fewer values, fewer bounds,
// a coarser version, and conditions on the result.
import { isSendable, sentType } from './parse-action.ts'
import {
  type Action,
  type Condition,
  type Field,
  type Narrowing,
  type Policy,
  type Scalar,
  VERSION_LEVELS,
} from './policy.ts'
import type { Node, YamlReader } from './yaml-reader.ts'

/** `undefined`, and said, where the overlay names something that the base does not send. */
export function narrowAction(
  reader: YamlReader,
  node: Node,
  action: Action,
): Narrowing | undefined {
  switch (action.kind) {
    case 'keep': {
      const values = subset(reader, node, 'keep', action.values)
      return { kind: 'keep', values }
    }
    case 'buckets': {
      const bounds = subset(reader, node, 'buckets', action.bounds)
      if (bounds[0] !== action.bounds[0])
        reader.error(node, `The first bound must stay ${action.bounds[0]}.`)
      return { kind: 'buckets', bounds: bounds.toSorted((a, b) => a - b) }
    }
    case 'version':
      return {
        kind: 'version',
        level: narrowerWord(reader, node, 'version', action.level, VERSION_LEVELS),
      }
    default:
      return undefined
  }
}

/** A word that reveals no more than the base's. `order` begins with what reveals least. */
export function narrowerWord<Word extends string>(
  reader: YamlReader,
  node: Node | undefined,
  what: string,
  base: Word,
  order: readonly Word[],
): Word {
  if (node === undefined) return base
  const word = reader.word(node, what, order)
  const allowed = order.slice(0, order.indexOf(base) + 1)
  // promise: overlay-no-finer
  if (!allowed.includes(word))
    reader.error(
      node,
      `An overlay can only narrow, and the policy says \`${what}: ${base}\`. Use one of: ${allowed.join(', ')}.`,
    )
  return word
}

function subset<Value extends Scalar>(
  reader: YamlReader,
  node: Node,
  what: string,
  base: readonly Value[],
): Value[] {
  const items = reader.items(node, what)
  if (items.length === 0)
    reader.error(node, 'An empty list keeps no value. Drop the attribute instead.')
  return items.flatMap((item) => {
    const found = base.find((value) => value === reader.scalar(item))
    // promise: overlay-values-subset
    if (found === undefined)
      reader.error(
        item,
        `An overlay can only narrow, and \`${what}\` of the policy does not have this value.`,
      )
    return found === undefined ? [] : [found]
  })
}

/**
 * Whether the attribute can go out with this value under the overlay; where its values are not
 * listed any of its type may.
 */
function canLeave({ action, absent, narrow }: Field, value: Scalar): boolean {
  if (value === absent) return true
  switch (action.kind) {
    case 'keep':
      return (
        (narrow?.kind === 'keep' ? narrow.values : action.values).includes(value) ||
        value === action.otherwise
      )
    case 'buckets':
      return (narrow?.kind === 'buckets' ? narrow.bounds : action.bounds).includes(value as number)
    case 'constant':
      return value === action.value
    default:
      return isSendable(value) && typeof value === sentType(action)
  }
}

export function narrowConditions(
  reader: YamlReader,
  node: Node,
  fields: readonly Field[],
): Condition[] {
  return reader.entries(node, 'only').map(({ key, keyNode, value }) => {
    const field = fields.find(({ name }) => name === key)
    if (field === undefined)
      reader.error(keyNode, '`only` must name an outgoing attribute of this span.')
    else if (field.narrow?.kind === 'drop')
      reader.error(keyNode, 'The overlay drops this attribute. Remove the condition.')
    const items = reader.items(value, 'The value of an attribute under `only`')
    if (items.length === 0)
      reader.error(value, 'An empty list excludes every span. Drop the span instead.')
    const values = items.flatMap((item): Scalar[] => {
      const scalar = reader.scalar(item)
      if (scalar !== undefined && (field === undefined || canLeave(field, scalar))) return [scalar]
      reader.error(item, 'This attribute never has this value. Use a value that it can send.')
      return []
    })
    return { name: key, values }
  })
}

/**
 * The policy as the overlay leaves it, for those who tell people what can leave. What runs is the
 * policy with its `narrow`.
 */
export function effectivePolicy(policy: Policy): Policy {
  const fields = (all: readonly Field[]): Field[] =>
    all.filter(({ narrow }) => narrow?.kind !== 'drop').map(effectiveField)
  return {
    ...policy,
    resource: fields(policy.resource),
    spans: policy.spans.map((rule) => ({
      ...rule,
      fields: fields(rule.fields),
      only: [...rule.only, ...(rule.onlyNarrowed ?? [])],
    })),
  }
}

function effectiveField(field: Field): Field {
  const { action, narrow } = field
  if (action.kind === 'keep' && narrow?.kind === 'keep')
    return { ...field, action: { ...action, values: narrow.values } }
  if (action.kind === 'buckets' && narrow?.kind === 'buckets')
    return { ...field, action: { ...action, bounds: narrow.bounds } }
  if (action.kind === 'version' && narrow?.kind === 'version')
    return { ...field, action: { ...action, level: narrow.level } }
  return field
}
