// Makes two hosts: network namespaces with a veth pair. One has the application and its sidecar,
// the other the collector and a name server. Every packet of the first host outside loopback is
// captured. Neither reaches another network.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { atEnd } from '../support/sidecar.ts'

/** TEST-NET-1 of RFC 5737. */
const NEAR = '192.0.2.1'
export const FAR = '192.0.2.2'

export interface Packet {
  /** Seconds since 1970, by the kernel's clock. */
  at: number
  text: string
}

export interface Cable {
  /** Prefix of a command, so that it runs on the application's host or on the collector's. */
  near: readonly string[]
  far: readonly string[]
  /** All packets of the application's host so far, without loopback. */
  packets: Packet[]
}

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })

export async function layCable(t: TestContext): Promise<Cable> {
  const [near, far] = [`usage-near-${process.pid}`, `usage-far-${process.pid}`]
  const inside = (host: string, ...command: string[]): string =>
    execFileSync('ip', ['netns', 'exec', host, ...command], { encoding: 'utf8' })
  for (const host of [near, far]) {
    ip('netns', 'add', host)
    atEnd(t, async () => void ip('netns', 'delete', host))
    // IPv6 messages that the kernel sends by itself are ignored.
    inside(
      host,
      'sh',
      '-c',
      'for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -e "$file" ] || echo 1 > "$file"; done',
    )
    ip('-n', host, 'link', 'set', 'lo', 'up')
  }
  ip('link', 'add', 'cable', 'netns', near, 'type', 'veth', 'peer', 'name', 'cable', 'netns', far)
  const hosts = [
    { host: near, own: NEAR, other: FAR, of: far },
    { host: far, own: FAR, other: NEAR, of: near },
  ]
  for (const { host, own } of hosts) {
    ip('-n', host, 'address', 'add', `${own}/30`, 'dev', 'cable')
    ip('-n', host, 'link', 'set', 'cable', 'up')
  }
  for (const { host, other, of } of hosts) {
    const mac = /link\/ether (\S+)/.exec(ip('-n', of, 'link', 'show', 'cable'))![1]!
    // Fixed addresses, so that the kernel has no ARP question to send.
    ip('-n', host, 'neighbour', 'replace', other, 'lladdr', mac, 'dev', 'cable', 'nud', 'permanent')
  }
  // The default route is the cable, so every packet of the sidecar is captured.
  ip('-n', near, 'route', 'add', 'default', 'via', FAR)
  // `ip netns exec` mounts these over the machine's files.
  const files = `/etc/netns/${near}`
  mkdirSync(files, { recursive: true })
  atEnd(t, async () => rmSync(files, { recursive: true }))
  writeFileSync(`${files}/resolv.conf`, `nameserver ${FAR}\n`)
  writeFileSync(`${files}/hosts`, '127.0.0.1 localhost\n')
  const on = (host: string): readonly string[] => ['ip', 'netns', 'exec', host]
  const filter = 'not (src net 127.0.0.0/8 and dst net 127.0.0.0/8)'
  return { near: on(near), far: on(far), packets: await capture(t, filter, on(near)) }
}

/** Captures every packet that passes the filter from now on. */
export async function capture(
  t: TestContext,
  filter: string,
  before: readonly string[] = [],
): Promise<Packet[]> {
  const packets: Packet[] = []
  const [program, ...args] = [
    ...before,
    'tcpdump',
    '-i',
    'any',
    '-n',
    '-l',
    '-tt',
    '--immediate-mode',
    filter,
  ]
  const tcpdump = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  atEnd(t, () => end(tcpdump))
  createInterface({ input: tcpdump.stdout }).on('line', (line) => {
    const at = Number(line.split(' ', 1)[0])
    if (at > 0) packets.push({ at, text: line })
  })
  for await (const line of createInterface({ input: tcpdump.stderr }))
    if (line.startsWith('listening on')) return packets
  throw new Error('tcpdump has ended and captured nothing.')
}

/** Ends a program of the test and waits for it. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'close')
}
