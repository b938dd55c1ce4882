// Texts near what a policy names: kept words in other cases and spellings, versions, lists to
// split, texts around a separator, and texts that have the shape that is asked for, or nearly.
import type { Shape } from '../../src/policy/policy.ts'
import { Rng } from './rng.ts'

export const VERSIONS =
  `v1.31.4-gke.100 1.31.4 v1.31.4 1.31 1 v2 2.0.0+build.7 1.2.3.4 1.2.x x.1.2 12345.1.1 9999.9999.9999 1.02.3 01.2.3 1..2 1.2. v
  vv1.2.3 V1.2.3 -1.2.3 +1 1.2.3-${'long'.repeat(60)} 1,2,3 1.2.3é ١.٢.٣ latest 0.0.0 v0.1 1.2\n 1.2.3-a\nb`.split(
    ' ',
  )
export const WORDS = [
  'orders-api',
  'payments',
  'é',
  'e\u0301',
  'ﬁ',
  '日本語',
  '😀',
  'K',
  'ΟΔΟΣ',
  'straße',
  'İ',
  'a'.repeat(300),
  `${'é'.repeat(100)}!`,
  'x',
]

/**
 * Other cases and spellings, and letters that only fold into ASCII (Kelvin sign, ß) or change their
 * length.
 */
export function variants(word: string): string[] {
  const odd = [
    word.replace('k', '\u212a'),
    word.replace('K', '\u212a'),
    word.replace(/ss/i, 'ß'),
    word.replace('i', 'İ'),
    word.replace('s', 'ſ'),
  ]
  return [
    word,
    word,
    word,
    word,
    word.toUpperCase(),
    word.toLowerCase(),
    word[0]!.toUpperCase() + word.slice(1),
    ...odd,
    ` ${word}`,
    `${word}s`,
    word.slice(1),
  ]
}

export function joined(
  texts: readonly string[],
  good: readonly string[],
  separator: string,
): string[] {
  const rng = new Rng(separator.length)
  const near = [0, 1, 1, 2, 2, 3, 4, 15, 16, 16, 17, 20]
  const lists = Array.from({ length: 60 }, () =>
    Array.from({ length: rng.pick(near) }, () => {
      const part = rng.chance(70)
        ? rng.pick(good)
        : rng.chance(30)
          ? rng.pick(['', ' ', '\t'])
          : rng.pick(texts)
      return rng.chance(20) ? ` ${part}\t` : part
    }).join(separator),
  )
  const exactly = (count: number): string =>
    Array.from({ length: count }, (_, i) => good[i % good.length]!).join(separator + separator)
  return [
    ...lists,
    ...[15, 16, 16, 16, 17, 17, 17, 17, 18, 30].map(exactly),
    separator,
    `${separator} ${separator}`,
    `${separator}\n`,
  ]
}

/** The texts before the separator, and some that have none or two. */
export const withTail = (texts: readonly string[], separator: string): string[] =>
  texts.flatMap((text, i) => {
    const tail = ['x', '', '1.2.3', ` ${text}`, `${separator}y`, `${separator}${separator}`, 'z'][
      i % 7
    ]!
    return i % 11 === 10 ? [text] : [`${text}${separator}${tail}`]
  })

/** The texts behind the last separator, and some without. */
export const withHead = (texts: readonly string[], separator: string): string[] =>
  texts.flatMap((text, i) => {
    const head = ['', 'a', `a${separator}b`, `${separator}${separator}`, text][i % 5]!
    return i % 9 === 8 ? [text, head] : [`${head}${separator}${text}`]
  })

const HEX = '0123456789abcdef'
const BASE32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** Texts with the shape, and the same with something wrong. */
export function shaped(shape: Shape): string[] {
  const rng = new Rng(shape.length)
  const of = (letters: string, count: number): string =>
    Array.from({ length: count }, () => letters[rng.below(letters.length)]!).join('')
  const forms: Record<Shape, (i: number) => string> = {
    ulid: () => `${of('01234567', 1)}${of(BASE32, 25)}`,
    uuid: (i) => {
      const text = [8, 4, 4, 4, 12].map((count) => of(HEX, count)).join('-')
      return i % 3 === 0 ? text.toUpperCase() : text
    },
    'ec2-instance': () => `i-${of(HEX, 17)}`,
    semver: (i) =>
      [
        '1.2.3',
        '0.0.0',
        '1.2.3-rc.1+build.7',
        '10.20.30-0a.b-c',
        '1.0.0+001',
        `1.0.0-${'a'.repeat(250)}`,
        '1.2.3--',
        '9.9.9-x',
      ][i % 8]!,
    'dns-label': (i) => ['a', 'worker-1', 'x'.repeat(63), '0', 'a--b', of('abc123', 9)][i % 6]!,
  }
  const good = Array.from({ length: 12 }, (_, i) => forms[shape](i))
  const bad = good.flatMap((text) => [
    text.slice(1),
    `${text}x`,
    `${text}\n`,
    ` ${text}`,
    text.toLowerCase(),
    text.toUpperCase(),
    text.replace(/-|\./, '_'),
    `${text}-`,
  ])
  const odd = [
    '8'.repeat(26),
    `U${of(BASE32, 25)}`,
    'i-0123456789ABCDEF0',
    '01.2.3',
    '1.2.3-01',
    '1.2.3-',
    '1.2',
    'v1.2.3',
    `1.0.0-${'a'.repeat(251)}`,
    '-a',
    'a.b',
    'É',
  ]
  return [...good, ...good, ...good, ...bad, ...odd]
}
