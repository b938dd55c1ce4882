// `npm run attack`: what somebody who has the reports would try, on what really leaves under every
// shipped policy. Fails where a hardened policy gives something away; of the compat ones it says
// how much they do. How many clusters are alone stands in the data sheets: the figures are kept in
// uniqueness.json, which `--update` writes anew.
import { writeFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { policyDigest } from '../../src/policy/policy.ts'
import { HARDENED, policyOf, SHIPPED, startPipeline } from '../support/shipped-policy.ts'
import { attack, type Capture, IDS, NAMES, NODES } from './dictionary.ts'
import { eventsOf } from './events.ts'
import { linkAttack } from './linking.ts'
import {
  type Figures,
  KEPT_FIGURES,
  keptFigures,
  MOST_ALONE_PERCENT,
  POPULATION,
  uniquenessOf,
} from './uniqueness.ts'

const INSTALLATIONS = 200
const failures: string[] = []
const isHardened = (name: string): boolean => HARDENED.includes(name)
const fail = (sentence: string): void => void failures.push(sentence)
const began = performance.now()
const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(0)} s`

console.log(
  `Dictionary: ${NAMES} names of applications, ${IDS} ids that count up, ${NODES} names of nodes; ${INSTALLATIONS} reports a policy.`,
)
const captures = SHIPPED.map((policy): Capture => {
  const one = startPipeline(policy, { facts: { 'app.version': '1.38.0', 'k8s.nodes': 12 } })
  const left = Array.from({ length: INSTALLATIONS }, (_, index) => one.send(...eventsOf(index)))
  return { policy, project: policyOf(policy).project, left: [...left, one.heartbeat()] }
})
for (const [policy, { by, tried }] of attack(captures)) {
  const hits = [...by].map(([how, names]) => `${names.size} ${how}`).join(', ')
  console.log(
    `  ${policy.padEnd(20)} ${by.size === 0 ? `0 hits of ${tried} tries` : `gives away: ${hits}`}`,
  )
  if (isHardened(policy) && by.size > 0) fail(`${policy}: the dictionary finds ${hits}`)
  if (policy === 'spinnaker-compat' && !by.has('sha256'))
    fail('The attack does not find what it must find in spinnaker-compat: it is broken.')
}

console.log(`\nLinking over projects, fields, days and installations (${seconds()}):`)
const { values, linked } = linkAttack()
console.log(`  ${values} pseudonyms and ids, ${linked.length} that join what must stay apart`)
if (linked.length > 0) fail(`Linked: ${linked.slice(0, 3).join('; ')}`)

console.log(
  `\nUniqueness in ${POPULATION} clusters; a hardened policy may leave ${MOST_ALONE_PERCENT} % alone (${seconds()}):`,
)
const figures: Record<string, Figures> = {}
for (const policy of SHIPPED) {
  const { alone, few, profiles, stableBits } = uniquenessOf(policy)
  const bits = Number.isFinite(stableBits)
    ? `${stableBits.toFixed(1)} stable bits`
    : 'an unlimited number of bits'
  const percent = (count: number): string => `${((100 * count) / POPULATION).toFixed(1)} %`
  console.log(
    `  ${policy.padEnd(20)} ${percent(alone).padStart(7)} alone, ${percent(few)} with less than four others, ${profiles} profiles, ${bits}`,
  )
  if (isHardened(policy) && alone > (MOST_ALONE_PERCENT / 100) * POPULATION)
    fail(`${policy}: ${alone} clusters are alone with what they tell`)
  figures[policy] = { digest: policyDigest(policyOf(policy)), alone, few }
}
if (process.argv.includes('--update'))
  writeFileSync(KEPT_FIGURES, `${JSON.stringify(figures, null, 2)}\n`)
else if (!isDeepStrictEqual(figures, keptFigures()))
  fail(
    'The data sheets say other figures of uniqueness. Run: npm run attack -- --update && npm run generate',
  )

console.log(
  failures.length === 0
    ? `\nNothing was given away by a hardened policy (${seconds()}).`
    : `\n${failures.join('\n')}`,
)
process.exitCode = failures.length === 0 ? 0 : 1
