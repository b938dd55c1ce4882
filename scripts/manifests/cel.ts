// Writes plain data as a CEL expression, with the types that a JSONPatch of a
// MutatingAdmissionPolicy needs. A string made by `expression` is inserted as CEL.

const MARK = 'cel:'
export const expression = (text: string): string => `${MARK}${text}`

/** Fields that Kubernetes declares as maps of strings. */
const MAPS = new Set(['requests', 'limits', 'labels'])

/**
 * `type` is the path of the type, such as `Object.spec.volumes`; `undefined` inside maps and for
 * values without one.
 */
export function cel(value: unknown, type: string | undefined): string {
  if (typeof value === 'string')
    return value.startsWith(MARK) ? value.slice(MARK.length) : JSON.stringify(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((item) => cel(item, type)).join(', ')}]`
  const fields = Object.entries(value)
  if (type === undefined)
    return `{${fields.map(([name, inner]) => `${JSON.stringify(name)}: ${cel(inner, undefined)}`).join(', ')}}`
  return `${type}{${fields.map(([name, inner]) => `${name}: ${cel(inner, MAPS.has(name) ? undefined : `${type}.${name}`)}`).join(', ')}}`
}

/** One step of the patch; `type` is the type of the value. */
export const patch = (path: string, value: unknown, type?: string): string =>
  `JSONPatch{op: "add", path: ${cel(path, undefined)}, value: ${cel(value, type)}}`
