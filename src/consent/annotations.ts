// The pod's annotations as the downward API writes them into a volume: `key="value"` a line, the
// value quoted as Go's strconv.Quote does, no newline in it. One word is looked for; a file that is
// not of this form is not understood at all.

export const REPORTING = 'usage-sidecar.dev/reporting'
const LINE = /^([^\s="]+)="([^"\\]*(?:\\.[^"\\]*)*)"$/

/**
 * What `usage-sidecar.dev/reporting` says, `undefined` where it is not set; `'malformed'` for a
 * file that is not the kubelet's. A value stays as it is quoted: of the words that mean something
 * none has an escape.
 */
export function reportingIn(text: string): { value: string | undefined } | 'malformed' {
  let value: string | undefined
  const lines = text.split('\n')
  // The kubelet ends the last line without a newline; one more does no harm.
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
