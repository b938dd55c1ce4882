// Removes from YAML, as text, exactly what `insert.ts` adds, so that the original bytes are
// restored. Later changes by people or tools are kept as far as possible.
import { isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml'
import { CannotEdit, lineEnd, lineStart, MARK, pairIn, startOf } from './insert.ts'

interface Cut {
  from: number
  to: number
  /** Whole lines, from the begin of the first to the end of the last. */
  lines: boolean
}

export class Cutter {
  readonly #cuts: Cut[] = []
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** Our items of the list under `key`, and the key itself if it was added for them. */
  items(map: YAMLMap, key: string, isOurs: (item: unknown) => boolean): void {
    const pair = pairIn(map, key)
    const list = pair?.value
    if (pair === undefined || !isSeq(list)) return
    const ours = list.items.filter((item) => isMap(item) && isOurs(item.toJSON()))
    if (ours.length === 0) return
    const all = ours.length === list.items.length
    if (all && this.#wasMade(pair, list)) this.#pair(map, pair)
    else if (all && list.flow === true) this.#allOf(list)
    else
      for (const item of ours)
        this.#element(
          list,
          list.items.indexOf(item),
          this.#text.lastIndexOf('-', startOf(item) - 1),
        )
  }

  /** The entry `name` of the map under `key`, and the key itself if it was added for it. */
  entry(map: YAMLMap, key: string, name: string): void {
    const pair = pairIn(map, key)
    const inner = pair?.value
    const found = isMap(inner) ? pairIn(inner, name) : undefined
    if (pair === undefined || !isMap(inner) || found === undefined) return
    if (inner.items.length === 1 && this.#wasMade(pair, inner)) this.#pair(map, pair)
    else this.#pair(inner, found)
  }

  /** The `metadata` of a template that was added for its one label. */
  wholePair(map: YAMLMap, key: string): boolean {
    const pair = pairIn(map, key)
    if (pair === undefined || !isMap(pair.value) || !this.#wasMade(pair, pair.value)) return false
    this.#pair(map, pair)
    return true
  }

  result(): string {
    let result = ''
    let done = 0
    for (const { from, to } of this.#exact()) {
      result += this.#text.slice(done, from)
      done = to
    }
    return result + this.#text.slice(done)
  }

  /** An added key has our mark in block style, and no space behind the bracket in flow style. */
  #wasMade(pair: Pair, value: YAMLMap | YAMLSeq): boolean {
    if (value.flow === true) return /\S/.test(this.#text[startOf(value) + 1] ?? '')
    const end = (pair.key as Node).range![1]
    return this.#text.slice(end, lineEnd(this.#text, end)).endsWith(MARK)
  }

  #pair(map: YAMLMap, pair: Pair): void {
    this.#element(map, map.items.indexOf(pair), startOf(pair.key))
  }

  #element(collection: YAMLMap | YAMLSeq, index: number, begin: number): void {
    const item = collection.items[index]
    const end = endOf(item)
    if (collection.flow !== true) {
      const from = lineStart(this.#text, begin)
      if (this.#text.slice(from, begin).trim() !== '')
        throw new CannotEdit('a part of the sidecar shares a line with other text')
      this.#cuts.push({ from, to: lineEnd(this.#text, end), lines: true })
      return
    }
    const from = startOfElement(item)
    const next = collection.items[index + 1]
    const previous = collection.items[index - 1]
    if (next !== undefined) this.#cuts.push({ from, to: startOfElement(next), lines: false })
    else if (previous !== undefined)
      this.#cuts.push({ from: endOf(previous), to: end, lines: false })
    else this.#allOf(collection)
  }

  /** The whole contents of a flow-style list or map, with the spaces that were added. */
  #allOf(collection: YAMLMap | YAMLSeq): void {
    const [from, end] = [startOfElement(collection.items[0]), endOf(collection.items.at(-1))]
    const padded = this.#text[from - 1] === ' ' && this.#text[end] === ' '
    this.#cuts.push({ from: padded ? from - 1 : from, to: padded ? end + 1 : end, lines: false })
  }

  /**
   * Ranges in order and without overlaps. A line includes its end; at the end of a text without
   * one, the end of the line before.
   */
  #exact(): { from: number; to: number }[] {
    const text = this.#text
    const withEnd = (to: number): number =>
      text[to] === '\r' && text[to + 1] === '\n' ? to + 2 : Math.min(text.length, to + 1)
    const joined: Cut[] = []
    for (const cut of this.#cuts.toSorted((a, b) => a.from - b.from)) {
      const last = joined.at(-1)
      if (last?.lines && cut.lines && cut.from <= withEnd(last.to))
        last.to = Math.max(last.to, cut.to)
      else joined.push({ ...cut })
    }
    return joined.map(({ from, to, lines }) => {
      if (!lines) return { from, to }
      if (to < text.length) return { from, to: withEnd(to) }
      return { from: Math.max(0, text[from - 2] === '\r' ? from - 2 : from - 1), to }
    })
  }
}

const startOfElement = (item: unknown): number => startOf(isPairLike(item) ? item.key : item)
const isPairLike = (item: unknown): item is Pair =>
  typeof item === 'object' && item !== null && 'key' in item

/** The end of the last value of an item or a pair. */
function endOf(item: unknown): number {
  if (isPairLike(item)) return item.value === null ? endOf(item.key) : endOf(item.value)
  if ((isMap(item) || isSeq(item)) && item.flow !== true && item.items.length > 0)
    return endOf(item.items.at(-1))
  const node = item as Node
  if (node.range === undefined || node.range === null)
    throw new CannotEdit('a part of the sidecar has no position in the text')
  return isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED')
    ? node.range[1] - 1
    : node.range[1]
}
