// The data sheet as Markdown, for a project's documentation. It sets what `sheet.ts` says and adds
// nothing.
import { bitsText } from '../policy/describe.ts'
import type { Sheet, SheetRow } from './sheet.ts'

export function sheetMarkdown(sheet: Sheet): string {
  const { stable } = sheet
  return `# What ${escapeMarkdown(sheet.project)} learns about its use

${escapeMarkdown(sheet.purpose)}

**${escapeMarkdown(sheet.verdict)}**

| | |
|---|---|
| Policy | version ${sheet.version}${sheet.compat ? ', reproduces an old reporter (compat)' : ''} |
| Digest | \`${sheet.digest}\` |
| In force until | ${sheet.expires}; after this day nothing is sent |
| Kept by the collector for | ${sheet.retention.replace('d', ' days')} (its promise) |
| Who receives it | ${escapeMarkdown(sheet.receiver)} |
| Discussed in public | ${sheet.review === undefined ? 'nowhere yet' : `<${sheet.review.replace(/[<>|`\\]/g, encodeURIComponent)}>`} |
| Stays the same from day to day | ${bitsText(stable.bits)}${stable.of.length === 0 ? '' : `: ${stable.of.map(markdownCode).join(', ')}`}${stable.assumed.length === 0 ? '' : ` (assumed: ${stable.assumed.map(markdownCode).join(', ')})`} |

What stands in no row below does not leave: it has no place in what the sidecar builds.

## With every batch

${markdownTable(sheet.batch)}
${sheet.spans.map((span) => `\n## Each span ${markdownCode(span.name)}\n\n${[...span.conditions, `One record tells ${bitsText(span.bits)}, with what comes with its batch.`].map(escapeMarkdown).join(' ')}\n\n${markdownTable(span.rows)}\n`).join('')}
## Turn it off

${sheet.off.map((line) => `- ${escapeMarkdown(line)}`).join('\n')}

## Known weaknesses

${sheet.weaknesses.map((line) => `- ${escapeMarkdown(line)}`).join('\n')}
`
}

function markdownTable(rows: readonly SheetRow[]): string {
  const lines = rows.map((row) => {
    const cells = [
      markdownCode(row.wire),
      // promise: sheet-reason-escaped
      escapeMarkdown(row.reason),
      escapeMarkdown(row.from),
      row.values.map(escapeMarkdown).join(' · '),
      escapeMarkdown(row.example),
      row.bits === undefined ? 'no bound' : row.bits === 0 ? '' : row.bits.toFixed(1),
      [
        row.stable ? 'stays the same' : '',
        row.links === undefined ? '' : `links for ${LINKS[row.links]}`,
        row.expires === undefined ? '' : `until ${row.expires}`,
      ]
        .filter((note) => note !== '')
        .join('; '),
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    '| what | why | from | every value | for example | bits | |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

export const LINKS = { day: 'a day', month: 'a month', forever: 'ever' } as const

const markdownCode = (name: string): string =>
  `\`${name.replaceAll('`', "'").replaceAll('|', '\\|')}\``
/** Text of the policy that must not become markup or break a cell. */
const escapeMarkdown = (words: string): string =>
  words.replace(/[\\`*_[\]<>|#~&$]/g, (character) => `\\${character}`)
