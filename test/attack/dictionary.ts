// The attacker's dictionary: a million names that applications have, ids that count up, names of
// nodes. Whatever digest of one of them, salted with what anybody can know, stands in a captured
// report is a hit.
import { createHmac, hash } from 'node:crypto'
import type { Left } from '../support/shipped-policy.ts'

const TEAMS =
  'acme payments orders billing search checkout identity catalog shipping fraud ledger pricing profile media mobile web data ml ops infra core edge risk tax loyalty inventory returns email events chat maps ads feed video audio news sport travel'.split(
    ' ',
  )
const PARTS =
  'api service worker gateway frontend backend db cache queue cron job batch stream sync proxy admin portal app server client agent scheduler indexer loader importer exporter mailer notifier monitor router broker store registry index'.split(
    ' ',
  )
const SUFFIXES = [
  '',
  '-dev',
  '-test',
  '-stage',
  '-prod',
  '-eu',
  '-us',
  '-1',
  '-2',
  '-v2',
  '-canary',
  '-blue',
  '-green',
  '-internal',
  '-new',
]
export const NAMES = 1_000_000
export const IDS = 200_000
export const NODES = 100_000

export function applicationName(index: number): string {
  const at = index % NAMES
  const [team, part] = [
    TEAMS[at % TEAMS.length]!,
    PARTS[Math.floor(at / TEAMS.length) % PARTS.length]!,
  ]
  const rest = Math.floor(at / (TEAMS.length * PARTS.length))
  const number = Math.floor(rest / SUFFIXES.length)
  return `${team}-${part}${SUFFIXES[rest % SUFFIXES.length]!}${number === 0 ? '' : `-${number}`}`
}
export const sequentialId = (index: number): string => String(10_000 + (index % IDS))
export const nodeName = (index: number): string =>
  index % 2 === 0
    ? `worker-${index % NODES}`
    : `ip-10-${(index >> 14) & 127}-${(index >> 7) & 127}-${index & 127}`

function* candidates(): IterableIterator<string> {
  for (let i = 0; i < NAMES; i++) yield applicationName(i)
  for (let i = 0; i < IDS; i++) yield sequentialId(i)
  for (let i = 0; i < NODES; i++) yield nodeName(i)
}

/** Digits that are compared: enough that no hit is by chance. */
const DIGITS = 16
const ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha512']

export interface Capture {
  policy: string
  project: string
  left: readonly Left[]
}

export interface Hits {
  /** Reports in which a name was found, by how. */
  by: Map<string, Set<string>>
  /** Digests that were computed. */
  tried: number
}

/** Looks for every candidate, as it is and as a digest, in what was captured. */
export function attack(captures: readonly Capture[]): Map<string, Hits> {
  const found = new Map(
    captures.map(({ policy }) => [policy, { by: new Map<string, Set<string>>(), tried: 0 }]),
  )
  const hexes = new Map<string, string[]>()
  const plains = new Map<string, string[]>()
  const index = (map: Map<string, string[]>, key: string, policy: string): void =>
    void map.set(key, [...(map.get(key) ?? []), policy])
  for (const { policy, left } of captures) {
    for (const { resource, spans } of left) {
      const values = [resource, ...spans.map(({ attributes }) => attributes)].flatMap((one) =>
        Object.values(one).map(String),
      )
      for (const text of [
        ...values,
        ...spans.flatMap(({ traceId, spanId, parentSpanId }) => [traceId, spanId, parentSpanId]),
      ]) {
        if (/^[0-9a-f]{16,}$/.test(text)) index(hexes, text.slice(0, DIGITS), policy)
        for (const word of text.split(/[\s/,]/)) index(plains, word, policy)
      }
    }
  }
  const hit = (policies: readonly string[] | undefined, how: string, candidate: string): void => {
    for (const policy of policies ?? []) {
      const { by } = found.get(policy)!
      by.set(how, (by.get(how) ?? new Set()).add(candidate))
    }
  }
  const keys = [...new Set(captures.map(({ project }) => project))]
  let tried = 0
  let count = 0
  for (const candidate of candidates()) {
    hit(plains.get(candidate), 'as it is', candidate)
    for (const algorithm of ALGORITHMS) {
      hit(hexes.get(hash(algorithm, candidate, 'hex').slice(0, DIGITS)), algorithm, candidate)
      tried++
    }
    // With what is public for a key, and as the key of what is public: dearer, so of every tenth,
    // and of all ids.
    if (count++ % 10 !== 0 && count < NAMES) continue
    for (const key of keys)
      hit(
        hexes.get(createHmac('sha256', key).update(candidate).digest('hex').slice(0, DIGITS)),
        'a public key',
        candidate,
      )
    hit(
      hexes.get(createHmac('sha256', candidate).update('kusk').digest('hex').slice(0, DIGITS)),
      'HMAC under it',
      candidate,
    )
    tried += keys.length + 1
  }
  for (const hits of found.values()) hits.tried = tried
  return found
}
