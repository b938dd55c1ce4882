// Consent as a state machine: switches and policies change, and processes are killed between any
// two steps. Records that were accepted in another epoch never reach the collector, and no record
// that may be sent is lost.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { countOf, SEED } from '../support/counts.ts'
import { seen, World } from './epoch-world.ts'

const RUNS = countOf('consentRuns')

/**
 * The world is its own model: it checks each request to the collector and the settled directory.
 */
type Model = Record<string, never>

class Command implements fc.AsyncCommand<Model, World> {
  readonly #name: string
  readonly #act: (world: World) => void | Promise<void>

  constructor(name: string, act: (world: World) => void | Promise<void>) {
    this.#name = name
    this.#act = act
  }

  check = (): boolean => true
  async run(_model: Model, world: World): Promise<void> {
    await this.#act(world)
    await world.after()
  }
  toString = (): string => this.#name
}

const command = (
  name: string,
  act: (world: World) => void | Promise<void>,
): fc.Arbitrary<Command> => fc.constant(new Command(name, act))
const commandOf = <T>(
  values: fc.Arbitrary<T>,
  name: string,
  act: (world: World, value: T) => void | Promise<void>,
): fc.Arbitrary<Command> =>
  values.map((value) => new Command(`${name}(${String(value)})`, (world) => act(world, value)))

const steps = commandOf(fc.integer({ min: 1, max: 12 }), 'steps', async (world, count) => {
  for (let step = 0; step < count; step++) await world.step()
})
const pass = commandOf(fc.constantFrom(250, 1_000, 5_000), 'pass', (world, ms) => world.pass(ms))

const COMMANDS = [
  commandOf(fc.constantFrom('off', 'local', 'on', 'on', 'on'), 'turn', (world, mode) =>
    world.turn(mode),
  ),
  commandOf(fc.constantFrom('a', 'a', 'b', undefined), 'usePolicy', (world, policy) =>
    world.usePolicy(policy),
  ),
  command('look', (world) => world.look()),
  command('accept', (world) => world.accept()),
  command('accept', (world) => world.accept()),
  command('beginAccept', (world) => world.beginAccept()),
  command('endAccept', (world) => world.endAccept()),
  steps,
  steps,
  steps,
  pass,
  pass,
  commandOf(fc.constantFrom(200, 200, 503, 400), 'answer', (world, status) => world.answer(status)),
  commandOf(fc.constantFrom('before', 'after'), 'fail', (world, when) => world.fail(when)),
  command('kill', (world) => world.kill()),
  commandOf(fc.integer({ min: 0, max: 6 }), 'killInEpoch', (world, operations) =>
    world.killInEpoch(operations),
  ),
  command('settle', (world) => world.settle()),
]

test('sends only what was accepted in the current epoch of on, and loses nothing of it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(COMMANDS, { maxCommands: 120, size: 'max' }), async (commands) => {
      const world = World.begin()
      try {
        await fc.asyncModelRun(() => ({ model: {}, real: world }), commands)
        await world.end()
      } finally {
        world.leave()
      }
    }),
    { numRuns: RUNS, seed: SEED },
  )
  for (const [what, times] of Object.entries(seen)) assert.ok(times > 0, `no run has ${what}`)
})
