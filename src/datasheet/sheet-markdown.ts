// Formats the data sheet as Markdown for a project's documentation.
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
| In force until | ${sheet.expires}. Nothing is sent after this day. |
| Kept by the collector for | ${sheet.retention.replace('d', ' days')}, as the project promises |
| Who receives it | ${escapeMarkdown(sheet.receiver)} |
| Discussed in public | ${sheet.review === undefined ? 'nowhere yet' : `<${sheet.review.replace(/[<>|`\\]/g, encodeURIComponent)}>`} |
| Stays the same from day to day | ${bitsText(stable.bits)}${stable.of.length === 0 ? '' : `: ${stable.of.map(markdownCode).join(', ')}`}${stable.assumed.length === 0 ? '' : ` (assumed: ${stable.assumed.map(markdownCode).join(', ')})`} |

The sidecar builds new spans from the rows below. Nothing else is sent.

## With every batch

${markdownTable(sheet.batch)}
${sheet.spans.map((span) => `\n## Each span ${markdownCode(span.name)}\n\n${[...span.conditions, `One record reveals ${bitsText(span.bits)}, including the attributes of its batch.`].map(escapeMarkdown).join(' ')}\n\n${markdownTable(span.rows)}\n`).join('')}
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
      row.bits === undefined ? 'unlimited' : row.bits === 0 ? '' : row.bits.toFixed(1),
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
