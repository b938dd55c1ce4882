// The oracle's steps and actions: what one attribute of a policy makes of what its sources hold,
// once for each part of a split. Written from the policy language and the recipes of threats.md and
// seed-systems.md.
import { createHash, createHmac, hkdfSync } from 'node:crypto'
import type { Shape } from '../../src/policy/policy.ts'
import {
  type AttributeRule,
  type Found,
  type Outcome,
  type Plain,
  type Scalar,
  type Surroundings,
  sent,
  type Tally,
} from './oracle-policy.ts'
import type { Read } from './oracle-source.ts'

const MAX_PARTS = 16
export const MAX_SAFE = 2n ** 53n - 1n

type Failed = (why: string) => Outcome
interface Doing {
  name: string
  rule: AttributeRule
  read: Read
  around: Surroundings
  /** No value, for this reason: the `else` of a keep. */
  failed: Failed
}

/** One outcome for each copy of the span; `undefined` leaves the attribute out. */
export function apply(
  name: string,
  rule: AttributeRule,
  read: Read,
  around: Surroundings,
): Outcome[] {
  const { tally } = around
  if (rule.constant !== undefined) {
    tally('constant')
    return [sent(rule.constant)]
  }
  const found = chosen(rule.from ?? name, rule, read, tally)
  if (found.state === 'malformed') {
    tally(`${found.fault}: attribute`)
    return [undefined]
  }
  if (found.state === 'absent') {
    tally(rule.absent === undefined ? 'no value: left out' : 'absent')
    return [rule.absent === undefined ? undefined : sent(rule.absent)]
  }
  const failed: Failed = (why) => {
    const outcome = otherwise(rule)
    tally(`${why}: ${outcome === undefined ? 'left out' : 'else'}`)
    return outcome
  }
  if (found.state === 'other') return [failed(found.why)]
  const doing = { name, rule, read, around, failed }
  if (rule.split === undefined) return [steps(found.value, doing)]
  if (typeof found.value !== 'string') return [failed('split of another kind')]
  const parts = found.value
    .split(rule.split)
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (parts.length > MAX_PARTS) {
    tally('split: too many parts')
    return [undefined]
  }
  if (parts.length === MAX_PARTS) tally('split: 16 parts')
  if (parts.length === 0) {
    tally('split: no part')
    return [undefined]
  }
  return parts.map((part) => steps(part, doing))
}

function chosen(from: string | string[], rule: AttributeRule, read: Read, tally: Tally): Found {
  const first = read(from)
  const empty = first.state === 'value' && first.value === ''
  if (rule.or === undefined || (first.state !== 'absent' && !empty)) return first
  const second = read(rule.or)
  tally(
    second.state === 'absent'
      ? 'or: absent as well'
      : empty
        ? 'or: for the empty text'
        : 'or: for an absent one',
  )
  return second.state === 'absent' ? first : second
}

const SHAPES: Record<Shape, (text: string) => boolean> = {
  ulid: (text) =>
    text.length === 26 &&
    Array.from(text).every((letter) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.includes(letter)) &&
    text[0]! < '8',
  uuid: (text) => {
    const groups = text.split('-')
    return (
      groups.map(({ length }) => length).join() === '8,4,4,4,12' &&
      groups.every((group) => /^[0-9a-fA-F]*$/.test(group))
    )
  },
  'ec2-instance': (text) =>
    text.length === 19 && text.startsWith('i-') && /^[0-9a-f]*$/.test(text.slice(2)),
  semver: isSemver,
  'dns-label': (text) =>
    text.length <= 63 && /^[a-z0-9-]+$/.test(text) && !text.startsWith('-') && !text.endsWith('-'),
}

/** semver.org, clauses 2, 9 and 10. */
function isSemver(text: string): boolean {
  if (text.length > 256) return false
  const plus = text.indexOf('+')
  const [rest, build] = plus < 0 ? [text, undefined] : [text.slice(0, plus), text.slice(plus + 1)]
  const dash = rest.indexOf('-')
  const [core, pre] = dash < 0 ? [rest, undefined] : [rest.slice(0, dash), rest.slice(dash + 1)]
  const identifiers = (list: string): string[] => list.split('.')
  const plain = (identifier: string): boolean => /^[0-9A-Za-z-]+$/.test(identifier)
  const noLeadingZero = (identifier: string): boolean => !/^0[0-9]+$/.test(identifier)
  if (build !== undefined && !identifiers(build).every(plain)) return false
  if (
    pre !== undefined &&
    !identifiers(pre).every((identifier) => plain(identifier) && noLeadingZero(identifier))
  )
    return false
  const numbers = core.split('.')
  return (
    numbers.length === 3 &&
    numbers.every((number) => /^[0-9]+$/.test(number) && noLeadingZero(number))
  )
}

/** before, after, fold, shape: in this order, whatever the order in the file. */
function steps(value: Scalar, doing: Doing): Outcome {
  const { rule, failed, around } = doing
  const { before, after, fold, shape } = rule
  const first = Object.entries({ before, after, fold, shape }).find(
    ([, step]) => step !== undefined,
  )?.[0]
  if (first === undefined) return act(value, doing)
  if (typeof value !== 'string') return failed(`${first} of another kind`)
  let text = value
  if (before !== undefined) {
    const parts = text.split(before)
    if (parts.length !== 2)
      return failed(parts.length < 2 ? 'before: one part' : 'before: more parts')
    around.tally('before: two parts')
    text = parts[0]!
  }
  if (after !== undefined) {
    const parts = text.split(after)
    if (parts.length < 2) return failed('after: no separator')
    around.tally(parts.length > 2 ? 'after: the last' : 'after: the only')
    text = text.slice(text.lastIndexOf(after) + after.length)
  }
  if (fold !== undefined) {
    const folded = fold === 'upper' ? text.toUpperCase() : text.toLowerCase()
    if (folded !== text)
      around.tally(/^[\0-\x7f]*$/.test(text) ? 'fold: ascii' : 'fold: beyond ascii')
    text = folded
  }
  if (shape !== undefined) {
    const is = [shape].flat().find((one) => SHAPES[one](text))
    if (is === undefined) return failed('shape: none')
    around.tally(`shape: ${is}`)
  }
  return act(text, doing)
}

function act(value: Scalar, doing: Doing): Outcome {
  const { rule, failed, around } = doing
  const { tally } = around
  if (typeof value === 'bigint' && (value > MAX_SAFE || value < -MAX_SAFE))
    tally('int-extreme: number')
  if (value === '') return failed('empty text')
  if (rule.keep !== undefined) return keep(rule.keep, value, failed, tally)
  if (rule.buckets !== undefined || rule.exact === 'number') {
    if (typeof value !== 'number' && typeof value !== 'bigint')
      return failed(rule.exact === 'number' ? 'exact of another kind' : 'buckets of another kind')
    if (rule.buckets === undefined) {
      tally(`exact: ${typeof value === 'number' ? 'double' : 'integer'}`)
      return value
    }
    // JavaScript compares a bigint and a number by their exact values.
    const place = rule.buckets.findLastIndex((bound) => bound <= value)
    tally(
      `buckets: ${place < 0 ? 'below the first' : place === 0 ? 'first' : place === rule.buckets.length - 1 ? 'last' : 'middle'}`,
    )
    return BigInt(rule.buckets[Math.max(place, 0)]!)
  }
  if (typeof value !== 'string') return failed('word expected')
  if (rule.version !== undefined) {
    const version = cutVersion(value, rule.version)
    tally(`version: ${version === 'other' ? 'other' : 'parsed'}`)
    return version
  }
  return rule.pseudonym === undefined ? actOfOld(value, doing) : pseudonym(value, doing)
}

/** The actions of a compat policy. */
function actOfOld(text: string, { rule, read, failed, around }: Doing): Outcome {
  const { tally } = around
  if (rule.hash !== undefined) {
    tally(`hash: ${rule.hash}`)
    return createHash(rule.hash).update(text, 'utf8').digest('hex')
  }
  if (rule.hmac !== undefined) {
    const key = read(rule.key!)
    if (key.state !== 'value' || typeof key.value !== 'string' || key.value === '')
      return failed('hmac without a key')
    tally('hmac: sha256')
    return createHmac('sha256', Buffer.from(key.value)).update(text, 'utf8').digest('hex')
  }
  if (Buffer.byteLength(text) > (rule.max ?? 64)) return failed('exact too long')
  if (Array.from(text).some((letter) => letter < ' ' || (letter >= '\x7f' && letter <= '\x9f')))
    return failed('exact with control characters')
  if (rule.exact === 'version' && !/^v?\d+(\.\d+)*([-+~_][\w.+~-]*)?$/.test(text))
    return failed('exact without a version')
  tally(`exact: ${rule.exact}`)
  return text
}

function pseudonym(value: string, { name, rule, failed, around }: Doing): Outcome {
  const { policy, secret, nowMs } = around
  if (secret === undefined) return failed('pseudonym without a secret')
  around.tally(`pseudonym: ${rule.pseudonym}`)
  const period =
    rule.pseudonym === 'forever'
      ? 'forever'
      : new Date(nowMs).toISOString().slice(0, rule.pseudonym === 'day' ? 10 : 7)
  const key = hkdf(secret, 'usage-sidecar/pseudonym/v1', [policy.project, name, period], 32)
  return createHmac('sha256', key)
    .update(lp(value.normalize('NFC')))
    .digest('hex')
    .slice(0, 32)
}

function keep(values: readonly Plain[], value: Scalar, failed: Failed, tally: Tally): Outcome {
  const listed = values.map(sent).includes(value as string | bigint | boolean)
  if (!listed)
    return failed(
      typeof value === typeof sent(values[0]!) ? 'keep: unlisted' : 'keep of another kind',
    )
  tally(`keep: ${typeof value}`)
  return value
}

const otherwise = ({ keep: values, else: word }: AttributeRule): Outcome =>
  values === undefined || word === 'none' || (word === undefined && typeof values[0] !== 'string')
    ? undefined
    : sent(word ?? 'other')

function cutVersion(text: string, depth: 'major' | 'minor' | 'core'): string {
  const count = { major: 1, minor: 2, core: 3 }[depth]
  const parts = text
    .replace(/^v/, '')
    .replace(/[-+].*$/s, '')
    .split('.')
    .slice(0, count)
  return parts.length === count && parts.every((part) => /^(0|[1-9][0-9]{0,3})$/.test(part))
    ? parts.join('.')
    : 'other'
}

const lp = (...texts: string[]): Buffer =>
  Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(Buffer.byteLength(text))
      return [length, Buffer.from(text)]
    }),
  )

const derived = new Map<string, Buffer>()
export function hkdf(secret: Buffer, salt: string, info: string[], length: number): Buffer {
  const name = [secret.toString('hex'), salt, ...info].join('\0')
  const key =
    derived.get(name) ?? Buffer.from(hkdfSync('sha256', secret, salt, lp(...info), length))
  derived.set(name, key)
  return key
}
