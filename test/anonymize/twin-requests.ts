// Two requests that agree on what a policy names and differ in all else: order and grouping, the
// length of varints, attributes, events, links, states, scopes and resources that no rule reads,
// spans that it does not list, ids where it makes fresh ones, times within what it cuts off. One
// seed makes what they agree on, one more each the rest.
import fc from 'fast-check'
import type { PolicyFile } from '../support/oracle-policy.ts'
import { attribute } from '../support/otlp-values.ts'
import type { Vocabulary } from '../support/otlp-vocabulary.ts'
import { Rng } from '../support/rng.ts'
import { ALL, type Attribute, type Host, Terms, type Twins, Writer } from './twin-writer.ts'

class TwinsArbitrary extends fc.Arbitrary<Twins> {
  readonly #make: (rng: Rng) => Twins
  constructor(make: (rng: Rng) => Twins) {
    super()
    this.#make = make
  }
  generate(random: fc.Random): fc.Value<Twins> {
    return new fc.Value(this.#make(new Rng(random.nextInt())), undefined)
  }
  canShrinkWithoutContext(_value: unknown): _value is Twins {
    return true
  }
  shrink(twins: Twins): fc.Stream<fc.Value<Twins>> {
    return new fc.Stream(smaller(twins)).map((value) => new fc.Value(value, undefined))
  }
}

function* smaller(twins: Twins): IterableIterator<Twins> {
  const { hosts, differ } = twins
  for (let bit = 1; bit <= ALL; bit <<= 1)
    if ((differ & bit) !== 0 && differ !== bit) yield { ...twins, differ: bit }
  for (let bit = 1; bit <= ALL; bit <<= 1)
    if ((differ & bit) !== 0) yield { ...twins, differ: differ & ~bit }
  const withHost = (index: number, host: Host[]): Twins => ({
    ...twins,
    hosts: hosts.toSpliced(index, 1, ...host),
  })
  for (const [i, host] of hosts.entries()) {
    yield withHost(i, [])
    for (const j of host.resource.keys())
      yield withHost(i, [{ ...host, resource: host.resource.toSpliced(j, 1) }])
    for (const [j, span] of host.spans.entries()) {
      yield withHost(i, [{ ...host, spans: host.spans.toSpliced(j, 1) }])
      for (const k of span.attributes.keys())
        yield withHost(i, [
          {
            ...host,
            spans: host.spans.toSpliced(j, 1, {
              ...span,
              attributes: span.attributes.toSpliced(k, 1),
            }),
          },
        ])
    }
  }
}

/** Twins around the moment `nowMs`, and what each of them is on the wire. */
export function twinsOf(
  policy: PolicyFile,
  nowMs: number,
): { twins: fc.Arbitrary<Twins>; wire: (twins: Twins, which: 0 | 1) => Uint8Array } {
  const terms = new Terms(policy)
  return {
    twins: new TwinsArbitrary((rng) => ({
      hosts: Array.from({ length: rng.chance(75) ? 1 : 2 }, () => hostOf(rng, terms, nowMs)),
      seeds: [rng.below(2 ** 31), rng.below(2 ** 31)],
      differ: rng.chance(50) ? ALL : 1 + rng.below(ALL),
    })),
    wire: ({ hosts, seeds, differ }, which) =>
      Uint8Array.from(new Writer(new Rng(seeds[which]), differ, terms).request(hosts)),
  }
}

function hostOf(rng: Rng, terms: Terms, nowMs: number): Host {
  const names = [...terms.rules.keys()]
  return {
    resource: terms.words.resource === undefined ? [] : attributesOf(rng, terms.words.resource, 1),
    spans: Array.from({ length: rng.chance(60) ? 1 : rng.below(4) }, () => {
      const rule = rng.pick(names)
      const vocabulary = terms.words.spans.get(rule)!
      return {
        rule,
        attributes: attributesOf(rng, vocabulary, 9),
        traceId: [1, ...rng.bytes(15)],
        spanId: [1, ...rng.bytes(7)],
        parentId: rng.chance(40) ? [] : [1, ...rng.bytes(7)],
        start: BigInt(nowMs) * 1_000_000n - BigInt(rng.below(2 ** 31)) * 100_000n,
        duration:
          BigInt(rng.pick(vocabulary.durations)) * 1_000_000_000n + BigInt(rng.below(3) - 1),
        status: rng.below(3),
      }
    }),
  }
}

function attributesOf(rng: Rng, { keys }: Vocabulary, field: number): Attribute[] {
  return keys.flatMap(({ key, values }): Attribute[] => {
    if (rng.chance(25)) return []
    // Of any kind, unusual or malformed; key and value are not told apart.
    if (values.length === 0 || rng.chance(12))
      return [{ opaque: attribute(rng, key, values, true, key, field).wire }]
    const one = { key, value: rng.pick(values) }
    return rng.chance(2) ? [one, { key, value: rng.pick(values) }] : [one]
  })
}
