// The receivers of a whole sidecar with random, almost valid connections. Nothing ends the process
// or repeats the input, and the sidecar serves as before when they are gone.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { countOf, SEED } from '../support/counts.ts'
import { call, connected } from '../support/grpc-receiver.ts'
import { message } from '../support/raw-http2.ts'
import { Rng } from '../support/rng.ts'
import { execution, filesIn, placeOf, post, startHere } from '../support/sidecar.ts'
import { bend, http2Frames, httpRequest, type Random } from './connections-fuzz.ts'

const RUNS = countOf('fuzzOfConnections')
const AT_ONCE = 20

/**
 * Sends them whole or in two pieces, and goes in one of the ways in which clients go; gives all
 * that came back.
 */
function attack(port: number, bytes: Buffer, random: Random): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (part) => {
      answer += part.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
    const cut = random() < 0.3 ? Math.floor(random() * bytes.length) : bytes.length
    const way = random()
    socket.write(bytes.subarray(0, cut), () => {
      if (cut < bytes.length) socket.write(bytes.subarray(cut))
      if (way < 0.2) socket.end()
      if (way > 0.9) socket.resetAndDestroy()
    })
    setTimeout(() => socket.destroy(), way < 0.7 ? 5 : 50)
  })
}

test('survives almost valid connections and repeats none of their bytes', async (t) => {
  const place = await placeOf(t, { USAGE_REPORTING: 'local' })
  const sidecar = await startHere(t, place)
  const rng = new Rng(SEED)
  const random: Random = () => rng.below(0x4000_0000) / 0x4000_0000
  const ports = {
    http: sidecar.port(),
    grpc: sidecar.grpcPort(),
    health: sidecar.healthPort(),
    page: sidecar.pagePort(),
  }
  let left = RUNS
  const client = async (): Promise<void> => {
    for (; left > 0; left--) {
      const what = random()
      const http = Buffer.concat(
        Array.from({ length: 1 + Math.floor(random() * 3) }, () => httpRequest(random)),
      )
      const bytes = what < 0.5 ? http : what < 0.95 ? http2Frames(random) : bend(random, http)
      const receiver =
        what < 0.45
          ? 'http'
          : what < 0.9
            ? 'grpc'
            : what < 0.95
              ? 'http'
              : random() < 0.5
                ? 'health'
                : 'page'
      assert.doesNotMatch(
        await attack(ports[receiver], bytes, random),
        /CANARY/,
        `${receiver}: ${JSON.stringify(bytes.toString('latin1'))}`,
      )
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, client))

  assert.equal((await post(ports.http, execution())).status, 200)
  assert.equal(
    (await call(connected(t, `http://127.0.0.1:${ports.grpc}`), message(execution()))).grpc,
    '0',
  )
  assert.doesNotMatch(JSON.stringify(sidecar.lines()), /CANARY|internal error/)
  for (const [name, bytes] of await filesIn(place.dataFolder))
    assert.ok(!bytes.includes('CANARY'), name)
  const { counters } = sidecar
  for (const name of [
    'requests.accepted',
    'requests.discarded',
    'requests.refused.400',
    'requests.refused.404',
  ] as const)
    assert.ok(counters.get(name) > RUNS / 200, `${name}: too few of ${RUNS} come so far`)
})
