// Publishes the folder that `build` has made. The order matters: whatever is named by another part
// is published before it, and the page of the release comes last.
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { IMAGES } from '../../deploy/image/contents.ts'
import type { ProjectVariables } from '../project.ts'

export interface Command {
  program: string
  args: readonly string[]
  /** The password of the registry is its standard input. */
  password?: true
}

const REGISTRY_USER = '$REGISTRY_USER'

/** The commands for a folder, which are the same in a dry run. */
export function publishCommands(
  folder: string,
  tag: string,
  version: string,
  { IMAGES: images, CHARTS: charts }: ProjectVariables,
): Command[] {
  const files = (part: string): string[] =>
    readdirSync(join(folder, part))
      .sort()
      .map((name) => join(folder, part, name))
  const login = (program: string, registry: string, ...args: string[]): Command => ({
    program,
    args: [...args, registry, '--username', REGISTRY_USER, '--password-stdin'],
    password: true,
  })
  const hostOf = (address: string): string => address.split('/')[0]!
  return [
    login('skopeo', hostOf(images), 'login'),
    ...Object.keys(IMAGES).map((image) => ({
      program: 'skopeo',
      args: [
        ...['copy', '--all', `oci:${join(folder, 'images', image)}:${version}`],
        `docker://${images}/${image}:${version}`,
      ],
    })),
    login('helm', hostOf(charts), 'registry', 'login'),
    ...files('charts').map((file) => ({
      program: 'helm',
      args: ['push', file, `oci://${charts}`],
    })),
    ...files('npm').map((file) => ({
      program: 'npm',
      args: ['publish', file, '--provenance', '--access', 'public'],
    })),
    {
      program: 'gh',
      args: [
        ...['release', 'create', tag, '--verify-tag', '--title', version],
        ...['--notes-file', join(folder, 'notes.md')],
        ...[...files('npm'), ...files('charts'), ...files('assets')],
      ],
    },
  ]
}

/** Stops at the first command that fails. */
export function publishRelease(commands: readonly Command[], env: NodeJS.ProcessEnv): void {
  const { REGISTRY_USER: user, REGISTRY_PASSWORD: input } = env
  if (!user || !input) throw new Error('Set REGISTRY_USER and REGISTRY_PASSWORD.')
  for (const { program, args, password } of commands)
    execFileSync(
      program,
      args.map((argument) => (argument === REGISTRY_USER ? user : argument)),
      { stdio: [password ? 'pipe' : 'ignore', 'inherit', 'inherit'], ...(password && { input }) },
    )
}
