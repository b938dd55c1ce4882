// Finds Go 1.26, the release that everything here is built with: the machine's own, or another of
// 1.21 and newer (Debian's, where there is none), which then brings this one itself by GOTOOLCHAIN.
// Throws where neither can be had.
import { aptInstall, runTool, works } from './tools.ts'

const WANTED = 'go1.26.8'
const SAME_RELEASE = /\bgo1\.26(?:\.\d+)?\b/

/**
 * The environment in which `go` is Go 1.26. `-mod=readonly`: what go.mod and go.sum do not name is
 * a failure.
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
  // Before Go 1.21 the variable has no meaning.
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
