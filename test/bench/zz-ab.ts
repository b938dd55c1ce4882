import { cpuSeconds, cpuByThread, startOurs, startSink, startFloor, IMAGE_FLAGS } from '/tmp/wt/coll/test/bench/processes.ts'
import { Side } from '/tmp/wt/coll/test/bench/road.ts'
import { median } from '/tmp/wt/coll/test/bench/load.ts'
import { loadavg } from 'node:os'
const base = IMAGE_FLAGS
const sets: Record<string, string[]> = { semi4: ['--max-semi-space-size=4', '--max-old-space-size=64'], stsemi2: ['--max-semi-space-size=2', '--max-old-space-size=64', '--single-threaded-gc'], base, st: [...base, '--single-threaded-gc'], semi2: ['--max-semi-space-size=2', '--max-old-space-size=64'] }
const names = process.argv[2]!.split(',')
const cases = process.argv[3]!.split(';').map((c) => c.split(',').map(Number))
const [reps, secs] = [Number(process.argv[4]), Number(process.argv[5])]
const sides: any[] = []
for (const n of names) { const sink = await startSink(); const [w, dist] = n.split('@'); sides.push({ n, side: new Side(w === 'floor' ? await startFloor(sink, base) : await startOurs(sink, sets[w!]!, dist), sink) }) }
for (const { side } of sides) await side.run({ connections: 8, spans: 100, seconds: 1.5 })
for (const [spans, connections] of cases) {
  const all = new Map<string, any[]>(names.map((n) => [n, []]))
  for (let r = 0; r < reps; r++) for (const { n, side } of sides) {
    const pid = side.program.pid
    const before = cpuSeconds(pid), bt = cpuByThread(pid)
    const { requests, seconds } = await side.run({ connections, spans, seconds: secs })
    const at = cpuByThread(pid)
    all.get(n)!.push({ us: (cpuSeconds(pid) - before) / requests * 1e6, main: (at.main - bt.main) / requests * 1e6, pool: (at.pool - bt.pool) / requests * 1e6, v8: (at.v8 - bt.v8) / requests * 1e6, rps: requests / seconds })
  }
  for (const n of names.slice(1)) console.log(n, 'beside', names[0], spans, connections, 'median ratio of us', median(all.get(n)!.map((x, i) => x.us / all.get(names[0]!)![i].us)).toFixed(3), all.get(n)!.map((x, i) => (x.us / all.get(names[0]!)![i].us).toFixed(2)).join(' '))
  for (const n of names) {
    const list = all.get(n)!
    const best = list.toSorted((a, b) => a.us - b.us)
    const f = (x: any) => `us ${x.us.toFixed(0)} (main ${x.main.toFixed(0)} pool ${x.pool.toFixed(0)} v8 ${x.v8.toFixed(0)}) rps ${x.rps.toFixed(0)}`
    console.log(n.padEnd(40), spans, connections, 'best', f(best[0]), '| 2nd', best[1]?.us.toFixed(0), '| median us', median(list.map((x: any) => x.us)).toFixed(0), loadavg()[0]!.toFixed(1))
  }
}
for (const { side } of sides) await side.stop()
