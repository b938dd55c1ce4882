// `policy diff OLD NEW`: what a new version would newly send, for release notes and reviewers. Exit
// 3 where something new would leave although `review` still points at where the old version was
// discussed.
import { diffPolicies } from '../policy/diff.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import { readPolicy } from './policy-file.ts'

export async function diff(host: Host, input: Input): Promise<number> {
  const [oldFile, newFile, ...rest] = input.positionals
  if (oldFile === undefined || newFile === undefined || rest.length > 0)
    throw new UsageError('Give the old and the new policy file.')
  const [old, next] = [await readPolicy(oldFile), await readPolicy(newFile)]
  const { added, removed, bits, unreviewed } = diffPolicies(old, next)
  const list = (title: string, sentences: readonly string[]): string =>
    `${title}\n${(sentences.length === 0 ? ['nothing'] : sentences).map((sentence) => `  ${sentence}`).join('\n')}\n\n`
  host.out(`${next.project}, policy version ${old.version} to ${next.version}\n\n`)
  host.out(
    list('Would newly leave:', added) +
      list('Would no longer leave:', removed) +
      list('How much it tells:', bits).trimEnd(),
  )
  host.out('\n')
  if (!unreviewed) return EXIT.done
  host.err(
    'Something new would leave, and "review" is the same as before, or missing. Discuss it in public, then name the place in "review".\n',
  )
  return EXIT.unreviewed
}
