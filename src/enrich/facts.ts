// Facts that the policy may name. The chart or the facts job gives them as one flat JSON object,
// and the process adds two of its own. A fact that is missing gives no attribute.

import type { Facts } from '../anonymize/compiled-source.ts'
import type { Scalar } from '../policy/policy.ts'
import { ConfigError } from '../support/errors.ts'

const NAME = /^[a-z][a-z0-9_.-]{0,127}$/i
const MAX_FACTS = 1000
const MAX_TEXT_BYTES = 1024
/** Go's names, which containers use. Other names are sent as Node has them. */
const GO_ARCH: Record<string, string> = { x64: 'amd64', ia32: '386' }
const GO_OS: Record<string, string> = { win32: 'windows', sunos: 'solaris' }

/**
 * Parses `{"app.version": "1.32.0", "k8s.nodes": 12}`. Throws a ConfigError that names `where` and
 * never repeats a value.
 */
export function parseFacts(json: string, where: string): Map<string, Scalar> {
  let parsed: unknown
  try {
    parsed = JSON.parse(json)
  } catch {
    throw new ConfigError([
      `${where} is not JSON. Give one object, such as {"app.version": "1.32.0"}.`,
    ])
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError([`${where} must be a JSON object of facts by name.`])
  const entries = Object.entries(parsed)
  if (entries.length > MAX_FACTS)
    throw new ConfigError([`${where} must have at most ${MAX_FACTS} facts.`])
  const facts = new Map<string, Scalar>()
  const errors: string[] = []
  entries.forEach(([name, value], index) => {
    const place = `${where}, fact ${index + 1}`
    if (!NAME.test(name))
      errors.push(
        `${place}: the name must be a letter, then letters, digits, dots, dashes or underscores.`,
      )
    else if (name === 'instance.id')
      errors.push(`${place}: remove instance.id. The sidecar sets it.`)
    else if (
      typeof value === 'string'
        ? Buffer.byteLength(value) > MAX_TEXT_BYTES
        : typeof value !== 'boolean' && !Number.isFinite(value)
    ) {
      errors.push(
        `${place}: the value must be a text of at most ${MAX_TEXT_BYTES} bytes, a number, true or false.`,
      )
    } else facts.set(name, value as Scalar)
  })
  if (errors.length > 0) throw new ConfigError(errors)
  return facts
}

/** The given facts, the process's architecture and system (as Node names them) and the identity. */
export function allFacts(
  given: Facts,
  arch: string,
  os: string,
  instanceId: string | undefined,
): Facts {
  const own: [string, Scalar][] = [
    ['host.arch', GO_ARCH[arch] ?? arch],
    ['host.os', GO_OS[os] ?? os],
  ]
  if (instanceId !== undefined) own.push(['instance.id', instanceId])
  return new Map([...given, ...own])
}
