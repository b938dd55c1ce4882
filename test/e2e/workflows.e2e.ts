// The workflows of GitHub, judged by actionlint.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { cached, keyOf } from './cache.ts'
import { goBuild } from './go.ts'
import { runTool } from './tools.ts'

const MODULE = new URL('workflows/actionlint', import.meta.url).pathname
const WORKFLOWS = new URL('../../.github/workflows', import.meta.url).pathname

function actionlint(...args: readonly string[]): string {
  const folder = cached(`actionlint-${keyOf({ folder: MODULE })}`, (into) =>
    goBuild(MODULE, into, ['github.com/rhysd/actionlint/cmd/actionlint']),
  )
  // A machine with shellcheck must judge as one without it.
  return runTool(join(folder, 'actionlint'), ['-shellcheck=', '-pyflakes=', ...args])
}

test('actionlint accepts every workflow', () => {
  const files = readdirSync(WORKFLOWS).map((name) => join(WORKFLOWS, name))
  assert.ok(files.length >= 2)
  assert.equal(actionlint(...files), '')
})

test('every action is pinned to a commit', () => {
  for (const name of readdirSync(WORKFLOWS))
    for (const [, action = ''] of readFileSync(join(WORKFLOWS, name), 'utf8').matchAll(
      /uses: (.+)/g,
    ))
      assert.match(action, /^\.\/|@[0-9a-f]{40} # v\d/, name)
})
