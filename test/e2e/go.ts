// Finds Go 1.26, which builds every Go program of the tests. If the machine has another Go from
// 1.21 on, GOTOOLCHAIN makes it download 1.26. Without Go it installs Debian's. Throws if that
// fails.
import { aptInstall, runTool, works } from './tools.ts'

const WANTED = 'go1.26.8'
const SAME_RELEASE = /\bgo1\.26(?:\.\d+)?\b/

/**
 * The environment in which `go` is Go 1.26. With `-mod=readonly` a module that go.mod and go.sum do
 * not name is an error.
 */
export function goEnvironment(): NodeJS.ProcessEnv {
  if (!works('go', ['version'])) aptInstall(['golang-go'])
  const local = {
    ...process.env,
    GOWORK: 'off',
    GOFLAGS: '-mod=readonly -buildvcs=false',
    GOTOOLCHAIN: 'local',
  }
  const own = runTool('go', ['version'], { env: local })
  if (SAME_RELEASE.test(own)) return local
  const switched = { ...local, GOTOOLCHAIN: WANTED }
  // Go before 1.21 ignores the variable.
  const got = runTool('go', ['version'], { env: switched })
  if (!SAME_RELEASE.test(got))
    throw new Error(
      `Go 1.26 is needed, or Go 1.21 and newer, which can fetch it. This is: ${own.trim()}.`,
    )
  return switched
}

/**
 * `go build` of the packages in `module` into the folder `output`, trimmed so that the place of the
 * checkout is not in them.
 */
export function goBuild(
  module: string,
  output: string,
  packages: readonly string[],
  env = goEnvironment(),
): void {
  runTool('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', `${output}/`, ...packages], {
    cwd: module,
    env,
  })
}
