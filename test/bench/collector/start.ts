// From the start of the process to its first 200, and the memory that it has when it has had
// nothing to do for a while.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { median, range } from '../load.ts'
import { type Memory, memoryOf, startSink } from '../processes.ts'
import { begin, NAMES, type Name } from './contenders.ts'

const ALL: readonly Name[] = ['durable', 'memory', 'ours', 'baseline']

interface Length {
  starts: number
  repetitions: number
  idleSeconds: number
}

export async function startAndIdle({ starts, repetitions, idleSeconds }: Length): Promise<string> {
  const ms = new Map<Name, number[]>(ALL.map((name) => [name, []]))
  const idle = new Map<Name, Memory[]>(ALL.map((name) => [name, []]))
  const sink = await startSink()
  for (let i = 0; i < starts; i++) {
    for (const name of ALL) {
      const began = performance.now()
      const program = await begin(name, sink)
      const headers = { 'content-type': 'application/x-protobuf', 'content-length': 0 }
      const post = request({
        port: program.port,
        host: '127.0.0.1',
        path: '/v1/traces',
        method: 'POST',
        agent: false,
        headers,
      }).end()
      const [answer] = (await once(post, 'response')) as [IncomingMessage]
      if (answer.statusCode !== 200)
        throw new Error(`The first answer of ${name} was ${answer.statusCode}.`)
      answer.resume()
      ms.get(name)!.push(performance.now() - began)
      await program.stop()
    }
  }
  for (let i = 0; i < repetitions; i++) {
    const programs = []
    for (const name of ALL) programs.push({ name, program: await begin(name, sink) })
    await wait(idleSeconds * 1000)
    for (const { name, program } of programs) idle.get(name)!.push(memoryOf(program.pid))
    for (const { program } of programs) await program.stop()
  }
  await sink.stop()
  const row = (name: Name): string => {
    const one = (values: readonly number[], digits: number): string =>
      `${median(values).toFixed(digits)} (${range(values, digits)})`
    const field = (of: keyof Memory): string =>
      one(
        idle.get(name)!.map((memory) => memory[of]),
        1,
      )
    return `| ${NAMES[name]} | ${one(ms.get(name)!, 0)} | ${field('rss')} | ${field('anon')} | ${field('pss')} |`
  }
  return [
    `| start, and idle for ${idleSeconds} s | start to first 200, ms | RSS, MiB | RssAnon, MiB | PSS, MiB |`,
    '|---|---|---|---|---|',
    ...ALL.map(row),
  ].join('\n')
}
