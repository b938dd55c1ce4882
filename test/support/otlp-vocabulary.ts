// The words of a policy as its generator of requests needs them: which keys each rule reads, of
// spans and of resources, and contents of AnyValue that are likely to matter there.
import type { AttributeRule, PolicyFile, SourceWords, SpanRule } from './oracle-policy.ts'
import { type Bytes, double, integer, len, utf8 } from './otlp-pieces.ts'
import { joined, shaped, VERSIONS, variants, WORDS, withHead, withTail } from './otlp-texts.ts'
import { DOUBLES, INTS } from './otlp-values.ts'

export interface Vocabulary {
  /** Keys that the rule reads, each with contents of AnyValue that are likely to matter. */
  keys: { key: string; values: readonly Bytes[] }[]
  durations: number[]
}

export interface Vocabularies {
  /** By the names of spans. */
  spans: Map<string, Vocabulary>
  /** Of the incoming resource; `undefined`: no rule reads it. */
  resource: Vocabulary | undefined
}

const text = (value: string): Bytes => len(1, utf8(value))
const int = (value: bigint | number): Bytes => integer(3, value)
const bool = (value: boolean): Bytes => integer(2, value ? 1 : 0)

export function vocabularies(policy: PolicyFile): Vocabularies {
  const resource = new Words()
  const spans = new Map(
    Object.entries(policy.spans).map(([name, rule]) => [name, vocabulary(rule, resource)]),
  )
  return { spans, resource: resource.isEmpty ? undefined : resource.vocabulary() }
}

class Words {
  readonly durations: number[] = []
  readonly #values = new Map<string, Bytes[]>()
  get isEmpty(): boolean {
    return this.#values.size === 0
  }
  add(key: string, more: readonly Bytes[]): void {
    this.#values.set(key, [...(this.#values.get(key) ?? []), ...more])
  }
  vocabulary(): Vocabulary {
    const durations = this.durations.length > 0 ? this.durations : [0, 1, 60]
    return { keys: [...this.#values].map(([key, values]) => ({ key, values })), durations }
  }
}

function vocabulary(rule: SpanRule, resource: Words): Vocabulary {
  const words = new Words()
  const add = (source: string, values: readonly Bytes[], bounds: readonly number[] = []): void => {
    if (source === 'span:duration') words.durations.push(...bounds)
    else if (source.startsWith('resource:')) resource.add(source.slice(9), values)
    else if (!/^(fact|text|span):/.test(source)) words.add(source, values)
  }
  for (const [name, attribute] of Object.entries(rule.attributes ?? {})) {
    if (attribute.constant !== undefined) continue
    const sources: SourceWords[] = [
      attribute.from ?? name,
      ...(attribute.or === undefined ? [] : [attribute.or]),
    ]
    for (const source of sources) {
      if (Array.isArray(source)) for (const place of source) add(place, partsOf(attribute))
      else add(source, likely(attribute), attribute.buckets)
    }
    for (const key of [attribute.key ?? []].flat()) add(key, [...WORDS.map(text), text('')])
  }
  for (const key of rule.skip ?? []) words.add(key, [text(''), text('x'), bool(false), int(0)])
  return words.vocabulary()
}

/** Of a list: the pieces of kept words, or any words. */
function partsOf(rule: AttributeRule): Bytes[] {
  const kept = (rule.keep ?? [])
    .filter((value) => typeof value === 'string')
    .flatMap((word) => word.split(/[^a-z0-9]+/i))
  const texts = kept.length > 0 ? kept : WORDS
  return [...texts, ...texts, ...texts].map(text).concat([text(''), text(''), int(1)])
}

function likely(rule: AttributeRule): Bytes[] {
  const words = (rule.keep ?? []).filter((value) => typeof value === 'string')
  const numbers = [
    ...(rule.buckets ?? []),
    ...(rule.keep ?? []).filter((value) => typeof value === 'number'),
  ]
  const kept = words.length > 0 ? words.flatMap(variants) : []
  let texts =
    rule.keep !== undefined || rule.buckets !== undefined
      ? kept
      : rule.version !== undefined || rule.exact === 'version'
        ? VERSIONS
        : WORDS
  if (rule.shape !== undefined) texts = [...texts, ...[rule.shape].flat().flatMap(shaped)]
  if (rule.exact === 'text')
    texts = [
      ...texts,
      'x'.repeat(rule.max ?? 64),
      'x'.repeat((rule.max ?? 64) + 1),
      'a\u0000b',
      'tab\t',
      'del\u007f',
      'c1\u0085',
    ]
  if (rule.after !== undefined) texts = withHead(texts, rule.after)
  if (rule.before !== undefined) texts = withTail(texts, rule.before)
  if (rule.split !== undefined)
    texts = joined(texts, words.length > 0 && rule.after === undefined ? words : texts, rule.split)
  return [
    ...texts.map(text),
    ...numbers.flatMap((n) => [
      int(n),
      int(n),
      int(n),
      int(n - 1),
      int(n + 1),
      double(4, n),
      double(4, n - 0.25),
      double(4, n + 0.25),
    ]),
    ...(rule.exact === 'number'
      ? [...INTS.map(int), ...DOUBLES.map((value) => double(4, value))]
      : []),
    ...(rule.split === undefined ? [] : [int(1), bool(true), int(7), [], double(4, 1), int(3), []]),
    ...(rule.keep?.some((value) => typeof value === 'boolean')
      ? [bool(true), bool(false), bool(true), bool(false), text('true'), int(1)]
      : []),
    text(''),
  ]
}
