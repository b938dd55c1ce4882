// Inserts keys and items into YAML as text, without touching an existing byte. In block style it
// inserts whole lines behind the line of the key above, so that comments stay with their subject.
// In flow style it inserts JSON before the first element. An added key carries a mark, so that
// `cut.ts` knows it from one that was there and empty.

import {
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  stringify,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { textOf } from './decide.ts'

export interface Insertion {
  at: number
  text: string
}

/** Thrown if an insertion cannot do it; the message says why. */
export class CannotEdit extends Error {}

export const MARK = '# added by usage-sidecar inject'

export const lineStart = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1

/** End of the line, without its end-of-line characters. */
export function lineEnd(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  if (end === -1) return text.length
  return text[end - 1] === '\r' && end > at ? end - 1 : end
}

export const startOf = (node: unknown): number => rangeOf(node)[0]

function rangeOf(node: unknown): readonly [number, number, number] {
  const range = (node as Node | null)?.range
  if (range === undefined || range === null)
    throw new CannotEdit('part of it has no position in the text')
  return range
}

export const pairIn = (map: YAMLMap, key: string): Pair | undefined =>
  map.items.find((pair) => isScalar(pair.key) && pair.key.value === key)

export class Inserter {
  readonly insertions: Insertion[] = []
  readonly #text: string
  /** How far this pod indents lists below their key. */
  readonly #step: number

  constructor(text: string, step: number) {
    this.#text = text
    this.#step = step
  }

  /**
   * Inserts `key: value` first in `map`. `above` is the pair that holds the map, if there is one.
   */
  pair(map: YAMLMap, above: Pair | undefined, key: string, value: unknown, mark: boolean): void {
    if (map.flow === true) {
      this.#flow(map, map.items[0]?.key, `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
      return
    }
    const first = map.items[0]!
    const begin = startOf(first.key)
    const column = begin - lineStart(this.#text, begin)
    const compact = this.#text.slice(begin - column, begin).trim() !== ''
    const at = compact
      ? this.#endOfOneLine(first, map.items[1])
      : above === undefined
        ? this.#lineAbove(begin)
        : this.#headerEnd(above)
    this.#lines(at, column, pairText(key, value, mark, this.#step))
  }

  /**
   * Inserts `values` first in the list that `above` holds in `map`, and adds the list if it is
   * missing.
   */
  items(map: YAMLMap, mapAbove: Pair | undefined, key: string, values: readonly unknown[]): void {
    if (values.length === 0) return
    const above = pairIn(map, key)
    if (above === undefined) this.pair(map, mapAbove, key, values, true)
    else if (isSeq(above.value) && above.value.flow === true) {
      this.#flow(
        above.value,
        above.value.items[0],
        values.map((value) => JSON.stringify(value)).join(', '),
      )
    } else {
      const begin = startOf(above.key)
      const column = isSeq(above.value)
        ? this.#dash(above.value)
        : begin - lineStart(this.#text, begin) + this.#step
      if (!isSeq(above.value)) this.#mustBeEmpty(above)
      this.#lines(this.#headerEnd(above), column, itemsText(values))
    }
  }

  /**
   * Inserts `entries` first in the map that `key` holds in `map`, and adds the map if it is
   * missing.
   */
  entry(
    map: YAMLMap,
    mapAbove: Pair | undefined,
    key: string,
    [name, value]: readonly [string, string],
  ): void {
    const above = pairIn(map, key)
    if (above === undefined) this.pair(map, mapAbove, key, { [name]: value }, true)
    else if (isMap(above.value)) this.pair(above.value, above, name, value, false)
    else {
      this.#mustBeEmpty(above)
      const begin = startOf(above.key)
      this.#lines(
        this.#headerEnd(above),
        begin - lineStart(this.#text, begin) + 2,
        pairText(name, value, false, this.#step),
      )
    }
  }

  #flow(collection: YAMLMap | YAMLSeq, first: unknown, json: string): void {
    if (first === undefined)
      this.insertions.push({ at: startOf(collection) + 1, text: ` ${json} ` })
    else this.insertions.push({ at: startOf(first), text: `${json}, ` })
  }

  #lines(at: number, column: number, lines: string): void {
    const eol =
      this.#text[at] === '\r' || (at === this.#text.length && this.#text.includes('\r\n'))
        ? '\r\n'
        : '\n'
    const indented = lines
      .split('\n')
      .map((line) => eol + (line === '' ? '' : ' '.repeat(column) + line))
    this.insertions.push({ at, text: indented.join('') })
  }

  #headerEnd(above: Pair): number {
    return lineEnd(this.#text, rangeOf(above.key)[1])
  }

  #lineAbove(begin: number): number {
    const start = lineStart(this.#text, begin)
    return this.#text[start - 2] === '\r' ? start - 2 : start - 1
  }

  #dash(list: YAMLSeq): number {
    const at = startOf(list)
    const start = lineStart(this.#text, at)
    if (this.#text[at] !== '-' || this.#text.slice(start, at).trim() !== '')
      throw new CannotEdit('one of its lists shares a line with other text')
    return at - start
  }

  /** Position behind `- name: app`: the end of the line, if the value ends on it. */
  #endOfOneLine(first: Pair, second: Pair | undefined): number {
    const end = lineEnd(this.#text, startOf(first.key))
    const value = first.value as Node | null
    if (
      (value !== null && rangeOf(value)[1] > end) ||
      (second !== undefined && startOf(second.key) < end)
    ) {
      throw new CannotEdit('the first value of a container takes more than one line')
    }
    return end
  }

  #mustBeEmpty({ key, value }: Pair): void {
    const [from, to] = value === null ? [rangeOf(key)[1], rangeOf(key)[1]] : rangeOf(value)
    if (to > from)
      throw new CannotEdit(
        `"${textOf((key as { value: unknown }).value)}" is not empty and no list or map of the text itself`,
      )
  }
}

/** Writes YAML 1.1 as Kubernetes reads it: `on` is quoted. */
const block = (value: unknown): string =>
  stringify(value, { version: '1.1', lineWidth: 0, indentSeq: false }).replace(/\n$/, '')

function itemsText(values: readonly unknown[]): string {
  return values.map((value) => `- ${shifted(block(value), '  ')}`).join('\n')
}

function pairText(key: string, value: unknown, mark: boolean, step: number): string {
  if (typeof value === 'string') return block({ [key]: value })
  const inner = Array.isArray(value)
    ? `${' '.repeat(step)}${shifted(itemsText(value), ' '.repeat(step))}`
    : `  ${shifted(block(value), '  ')}`
  return `${key}:${mark ? ` ${MARK}` : ''}\n${inner}`
}

/** Indents all lines but the first and empty ones. */
const shifted = (lines: string, by: string): string => lines.replaceAll(/\n(?=[^\n])/g, `\n${by}`)

export function insertAll(text: string, insertions: readonly Insertion[]): string {
  let result = ''
  let done = 0
  for (const { at, text: piece } of insertions.toSorted((a, b) => a.at - b.at)) {
    result += text.slice(done, at) + piece
    done = at
  }
  return result + text.slice(done)
}
