// Reads the pod's annotations from a downward API volume: one `key="value"` a line, the value
// quoted as Go's strconv.Quote does. Only one annotation counts. A file of another form is
// malformed as a whole.

export const REPORTING = 'usage-sidecar.dev/reporting'
const LINE = /^([^\s="]+)="([^"\\]*(?:\\.[^"\\]*)*)"$/

/**
 * The value of `usage-sidecar.dev/reporting`, or `undefined` if it is not set. `'malformed'` for a
 * file that the kubelet did not write. The value stays quoted, as no valid word has an escape.
 */
export function reportingIn(text: string): { value: string | undefined } | 'malformed' {
  let value: string | undefined
  const lines = text.split('\n')
  // The kubelet writes no newline after the last line, but one is harmless.
  if (lines.at(-1) === '') lines.pop()
  for (const line of lines) {
    const match = LINE.exec(line)
    if (match === null) return 'malformed'
    if (match[1] !== REPORTING) continue
    if (value !== undefined) return 'malformed'
    value = match[2]!
  }
  return { value }
}
