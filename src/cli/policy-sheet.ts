// `policy sheet FILE`: the data sheet for humans, as Markdown, HTML or JSON.
import { type Sheet, sheetOf } from '../datasheet/sheet.ts'
import { sheetHtml } from '../datasheet/sheet-html.ts'
import { sheetMarkdown } from '../datasheet/sheet-markdown.ts'
import { EXIT, type Host, type Input, onlyPositional, UsageError } from './command.ts'
import { readPolicy } from './policy-file.ts'

const FORMATS: Record<string, (sheet: Sheet) => string> = {
  markdown: sheetMarkdown,
  html: sheetHtml,
  json: (sheet) => `${JSON.stringify(sheet, undefined, 2)}\n`,
}

export async function sheet(host: Host, input: Input): Promise<number> {
  const file = onlyPositional(input, 'the policy file')
  const format = Object.entries(FORMATS).find(
    ([name]) => name === (input.flags.format ?? 'markdown'),
  )
  if (format === undefined)
    throw new UsageError(`--format must be one of ${Object.keys(FORMATS).join(', ')}.`)
  host.out(format[1](sheetOf(await readPolicy(file))))
  return EXIT.done
}
