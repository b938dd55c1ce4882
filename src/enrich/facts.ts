// Facts that the policy may name: those that the chart or the facts job gives, as one flat JSON
// object, and the two that the process knows of itself. What is not there could not be read and is
// absent on the wire.

import type { Facts } from '../anonymize/compiled-source.ts'
import type { Scalar } from '../policy/policy.ts'
import { ConfigError } from '../support/errors.ts'

const NAME = /^[a-z][a-z0-9_.-]{0,127}$/i
const MAX_FACTS = 1000
const MAX_TEXT_BYTES = 1024
/** Names of Go, which the container world uses; others go out as Node calls them. */
const GO_ARCH: Record<string, string> = { x64: 'amd64', ia32: '386' }
const GO_OS: Record<string, string> = { win32: 'windows', sunos: 'solaris' }

/**
 * `{"app.version": "1.32.0", "k8s.nodes": 12}`. Throws a ConfigError that names `where` and never
 * quotes a value.
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
    throw new ConfigError([`${where} is not a JSON object of facts by name.`])
  const entries = Object.entries(parsed)
  if (entries.length > MAX_FACTS)
    throw new ConfigError([`${where} has more than ${MAX_FACTS} facts.`])
  const facts = new Map<string, Scalar>()
  const errors: string[] = []
  entries.forEach(([name, value], index) => {
    const place = `${where}, fact ${index + 1}`
    if (!NAME.test(name))
      errors.push(`${place}: its name is not letters, digits, dots, dashes and underscores.`)
    else if (name === 'instance.id')
      errors.push(`${place}: instance.id is made by the sidecar and cannot be given.`)
    else if (
      typeof value === 'string'
        ? Buffer.byteLength(value) > MAX_TEXT_BYTES
        : typeof value !== 'boolean' && !Number.isFinite(value)
    ) {
      errors.push(
        `${place}: its value is not a text of at most ${MAX_TEXT_BYTES} bytes, a number, true or false.`,
      )
    } else facts.set(name, value as Scalar)
  })
  if (errors.length > 0) throw new ConfigError(errors)
  return facts
}

/**
 * All facts of this process: what was given, its own architecture and system (as Node names them),
 * and the identity.
 */
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
