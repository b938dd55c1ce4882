// Manifests as people and tools write them, from a seed: pods in all kinds and in lists, in block,
// flow and JSON style, with comments, quotes, anchors, empty lists, tabs, CRLF, several separators,
// no last newline; and documents of other kinds.
import { Rng } from '../support/rng.ts'

type Value = string | number | boolean | null | Value[] | { [key: string]: Value }

/** `plain`: nothing in it that may not be injected (aliases, first values over several lines). */
export function manifestOf(seed: number, plain = false): string {
  const rng = new Rng(seed)
  const eol = rng.chance(25) ? '\r\n' : '\n'
  const documents = Array.from({ length: 1 + rng.below(4) }, () => document(rng, plain))
  let text = rng.chance(10) ? `${rng.pick(['\ufeff', '# top\n', '\n\n'])}` : ''
  documents.forEach((body, index) => {
    if (index > 0 || rng.chance(30))
      text += rng.pick([
        '---\n',
        '--- \n',
        '---\n# a comment\n\n',
        '--- # why\n',
        ...(index > 0 ? ['...\n---\n', '...\n# between\n---\n'] : []),
      ])
    text += body
  })
  if (rng.chance(15)) text += rng.pick(['---\n', '...\n', '\n\n', '# the end\n', '# the end'])
  else if (rng.chance(40)) text = text.replace(/\n$/, '')
  return eol === '\n' ? text : text.replaceAll('\n', eol)
}

function document(rng: Rng, plain: boolean): string {
  const writer = new Writer(rng, plain)
  if (rng.chance(12)) return rng.pick(['', '# nothing but a comment\n', '\n', 'null\n'])
  if (rng.chance(8))
    return 'kind: ConfigMap\napiVersion: v1\ndata:\n  script: |\n    if true; then\n    \techo "kind: Pod"\n    fi\n\n  more: >-\n    spec:\n      containers: []\n'
  if (rng.chance(15))
    return writer.whole({
      apiVersion: 'v1',
      kind: 'List',
      items: Array.from({ length: 1 + rng.below(3) }, () => object(rng)),
    })
  return writer.whole(object(rng))
}

function object(rng: Rng): Value {
  const metadata: Value = { name: word(rng), ...(rng.chance(50) ? { namespace: 'shop' } : {}) }
  const template = {
    ...(rng.chance(80) ? { metadata: templateMetadata(rng) } : {}),
    spec: podSpec(rng),
  }
  const kind = rng.pick([
    'Pod',
    'Deployment',
    'StatefulSet',
    'DaemonSet',
    'Job',
    'CronJob',
    'Service',
    'Job of others',
  ])
  if (kind === 'Pod')
    return {
      apiVersion: 'v1',
      kind,
      metadata: { ...metadata, ...templateMetadata(rng) },
      spec: podSpec(rng),
    }
  if (kind === 'Job') return { apiVersion: 'batch/v1', kind, metadata, spec: { template } }
  if (kind === 'CronJob')
    return {
      apiVersion: 'batch/v1',
      kind,
      metadata,
      spec: { schedule: '@daily', jobTemplate: { spec: { template } } },
    }
  if (kind === 'Service')
    return {
      apiVersion: 'v1',
      kind,
      metadata,
      spec: { selector: { app: 'x' }, ports: [{ port: 80 }] },
    }
  if (kind === 'Job of others')
    return { apiVersion: 'batch.volcano.sh/v1alpha1', kind: 'Job', metadata, spec: { template } }
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata,
    spec: { replicas: 2, selector: { matchLabels: { app: 'x' } }, template },
  }
}

const word = (rng: Rng): string =>
  rng.pick(['web', 'api', 'on', '0x10', "it's", 'a b', 'ünï', '1:30', 'x: y', '#no', 'null'])

function templateMetadata(rng: Rng): { [key: string]: Value } {
  return {
    ...(rng.chance(60)
      ? {
          labels: rng.chance(15)
            ? null
            : { app: 'x', ...(rng.chance(30) ? { tier: word(rng) } : {}) },
        }
      : {}),
    ...(rng.chance(20)
      ? {
          annotations: {
            note: 'two\nlines',
            ...(rng.chance(30) ? { 'usage-sidecar.dev/otel-endpoint': 'enabled' } : {}),
          },
        }
      : {}),
    ...(rng.chance(5)
      ? { annotations: { 'usage-sidecar.dev/inject': rng.pick(['disabled', 'flase']) } }
      : {}),
  }
}

function podSpec(rng: Rng): Value {
  const list = (items: Value[]): Value => (items.length > 0 ? items : rng.pick<Value>([[], null]))
  const some = (most: number, make: () => Value): Value =>
    list(Array.from({ length: rng.below(most + 1) }, make))
  const parts: [string, Value][] = [
    ['containers', Array.from({ length: 1 + rng.below(3) }, () => container(rng))],
  ]
  if (rng.chance(40)) parts.push(['initContainers', some(2, () => container(rng))])
  if (rng.chance(40)) parts.push(['volumes', some(2, () => ({ name: 'v', emptyDir: {} }))])
  if (rng.chance(30)) parts.push(['restartPolicy', 'Never'])
  if (rng.chance(10)) parts.push(['hostNetwork', true])
  return Object.fromEntries(
    parts
      .map((part) => ({ part, by: rng.below(1000) }))
      .sort((a, b) => a.by - b.by)
      .map(({ part }) => part),
  )
}

function container(rng: Rng): Value {
  const env = (): Value => ({
    name: rng.pick(['A', 'DO_NOT_TRACK', 'OTEL_EXPORTER_OTLP_ENDPOINT']),
    value: word(rng),
  })
  return {
    name: rng.pick(['app', 'other']),
    image: 'example.org/x:1',
    ...(rng.chance(50)
      ? {
          env: rng.chance(30)
            ? rng.pick<Value>([[], null])
            : Array.from({ length: 1 + rng.below(2) }, env),
        }
      : {}),
    ...(rng.chance(20) ? { command: ['sh', '-c', 'echo one\n\techo two\n'] } : {}),
    ...(rng.chance(20)
      ? {
          resources: {
            limits: { cpu: '1', memory: '1Gi' },
            ...(rng.chance(50) ? { requests: { cpu: '1000m', memory: '1024Mi' } } : {}),
          },
        }
      : {}),
  }
}

class Writer {
  readonly #rng: Rng
  readonly #plain: boolean
  #anchors = 0
  #flow: number

  constructor(rng: Rng, plain: boolean) {
    this.#rng = rng
    this.#plain = plain
    this.#flow = rng.pick([0, 0, 5, 20])
  }

  whole(value: Value): string {
    const rng = this.#rng
    const dense = (_: string, inner: unknown): unknown =>
      this.#plain && inner === null ? undefined : inner
    if (rng.chance(12)) return `${JSON.stringify(value, dense, rng.pick([0, 0, 2, 4]))}\n`
    return `${this.#comment('')}${this.#block(value, '')}`
  }

  #comment(indent: string): string {
    if (!this.#rng.chance(8)) return ''
    return this.#rng.pick([
      `${indent}# says something\n`,
      '\n',
      '# at the left\n',
      `${indent}# one\n\n${indent}# two\n`,
    ])
  }

  #trailing(): string {
    return this.#rng.chance(6) ? this.#rng.pick([' # why', '  ', '   # "quoted', ' #']) : ''
  }

  #anchor(): string {
    if (this.#plain || !this.#rng.chance(2)) return ''
    this.#anchors += 1
    return `&a${this.#anchors} `
  }

  /** Lines, each indented. */
  #block(value: Value, indent: string): string {
    const rng = this.#rng
    if (Array.isArray(value)) {
      return value
        .map((item) => {
          const [first, ...rest] = this.#lines(item, `${indent}  `)
          if (!first!.startsWith(`${indent}  `) || first!.slice(indent.length + 2).startsWith('#'))
            return `${this.#comment(indent)}${indent}-${rng.pick([' ', ''])}\n${[first, ...rest].join('')}`
          return `${this.#comment(indent)}${indent}- ${first!.slice(indent.length + 2)}${rest.join('')}`
        })
        .join('')
    }
    if (value !== null && typeof value === 'object')
      return Object.entries(value)
        .map(([key, inner]) => this.#comment(indent) + this.#pair(key, inner, indent))
        .join('')
    return `${indent}${this.#scalar(value, indent)}\n`
  }

  #lines(value: Value, indent: string): string[] {
    const text = this.#isBlock(value)
      ? this.#block(value, indent)
      : `${indent}${this.#inline(value, indent)}${this.#trailing()}\n`
    return text.split(/(?<=\n)/)
  }

  #isBlock(value: Value): boolean {
    return (
      value !== null &&
      typeof value === 'object' &&
      Object.keys(value).length > 0 &&
      !this.#rng.chance(this.#flow)
    )
  }

  #pair(key: string, value: Value, indent: string): string {
    const rng = this.#rng
    const name = rng.chance(5) ? JSON.stringify(key) : key
    if (value === null && (this.#plain || rng.chance(80)))
      return `${indent}${name}:${this.#trailing()}\n`
    if (!this.#isBlock(value))
      return `${indent}${name}: ${this.#anchor()}${this.#inline(value, indent)}\n`.replace(
        /\n\n$/,
        '\n',
      )
    const deeper = Array.isArray(value) ? rng.pick(['', '  ']) : rng.pick(['  ', '  ', '    '])
    return `${indent}${name}:${` ${this.#anchor()}`.trimEnd()}${this.#trailing()}\n${this.#block(value, indent + deeper)}`
  }

  #inline(value: Value, indent: string): string {
    const rng = this.#rng
    const gap = (): string =>
      rng.chance(20)
        ? rng.pick([' ', '  ', `\n${indent}    `, `\n${indent}    # inside\n${indent}    `])
        : ''
    if (Array.isArray(value))
      return `[${gap()}${value.map((item) => this.#inline(item, `${indent}  `)).join(`,${gap()} `)}${gap()}]`
    if (value === null || typeof value !== 'object') return this.#scalar(value, indent, true)
    const entries = Object.entries(value).filter(([, inner]) => !(this.#plain && inner === null))
    return `{${gap()}${entries.map(([key, inner]) => `${key}: ${this.#inline(inner, `${indent}  `)}`).join(`,${gap()} `)}${gap()}}`
  }

  #scalar(value: string | number | boolean | null, indent: string, flow = false): string {
    if (typeof value !== 'string') return value === null ? 'null' : String(value)
    const rng = this.#rng
    if (value.includes('\n'))
      return flow || value.endsWith(' ') || !value.endsWith('\n')
        ? JSON.stringify(value)
        : `|\n${value.replaceAll(/^(?=.)/gm, `${indent}  `)}`.trimEnd()
    if (/^[a-zA-Z][\w./@-]*(:\d+)?$/.test(value) && !/^(on|null)$/.test(value) && rng.chance(80))
      return value
    return rng.chance(50) ? JSON.stringify(value) : `'${value.replaceAll("'", "''")}'`
  }
}
