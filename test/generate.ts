// Writes the parts of README.md that are made from the code: the table of settings and the list of commands. With
// `--check` it writes nothing and fails where the file would change.
import { readFileSync, writeFileSync } from 'node:fs'
import { COMMANDS } from '../src/cli/commands.ts'
import { flagOf, SETTINGS } from '../src/config.ts'

const README = new URL('../README.md', import.meta.url).pathname

const settings = [
  '| setting | flag | default | what it does |',
  '|---|---|---|---|',
  ...SETTINGS.map(
    ({ name, standard, sentence }) =>
      `| \`${name}\` | \`--${flagOf(name)}\` | ${standard === undefined ? '' : `\`${standard}\``} | ${sentence} |`,
  ),
].join('\n')

const commands = [
  '| command | what it does |',
  '|---|---|',
  ...COMMANDS.filter(({ hidden }) => hidden !== true).map(({ usage, summary }) => `| \`${usage.replaceAll('|', '\\|')}\` | ${summary} |`),
].join('\n')

export function generated(readme: string): string {
  const replace = (text: string, name: string, content: string): string => {
    const pattern = new RegExp(`(<!-- generated: ${name} -->\\n)[\\s\\S]*?(<!-- end -->)`)
    if (!pattern.test(text)) throw new Error(`README.md has no place for the generated part "${name}"`)
    return text.replace(pattern, (_, begin: string, end: string) => `${begin}${content}\n${end}`)
  }
  return replace(replace(readme, 'settings', settings), 'commands', commands)
}

const readme = readFileSync(README, 'utf8')
const wanted = generated(readme)
if (process.argv.includes('--check')) {
  if (wanted !== readme) {
    process.stderr.write('README.md is not what the code says. Run: npm run generate\n')
    process.exitCode = 1
  }
} else writeFileSync(README, wanted)
