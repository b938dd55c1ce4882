// The documents for people: what they link to and what they name exists, and a decision has its
// form.
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { decisionTitle } from '../../scripts/generate-decisions.ts'

const ROOT = new URL('../../', import.meta.url).pathname
const documents = globSync('**/*.md', {
  cwd: ROOT,
  exclude: (name) => /^(node_modules|dist|build.*|\.git|\.cache)$/.test(name),
})
const textOf = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

test('every relative link of every document leads to a file', () => {
  const dead: string[] = []
  for (const file of documents)
    for (const [, target = ''] of textOf(file).matchAll(/\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      if (!existsSync(join(ROOT, dirname(file), target))) dead.push(`${file}: ${target}`)
    }
  assert.deepEqual(dead, [])
})

test('every path that a document for contributors names exists', () => {
  const named = /^(ARCHITECTURE|CONTRIBUTING|SECURITY)\.md$|^docs\/decisions\//
  const path = /`((?:src|test|scripts|deploy|docs|\.ci|\.github|\.devcontainer)\/[\w./-]*)`/g
  const dead = documents
    .filter((file) => named.test(file))
    .flatMap((file) =>
      [...textOf(file).matchAll(path)].map(([, target]) => [file, target!] as const),
    )
    .filter(([, target]) => !existsSync(join(ROOT, target)))
  assert.deepEqual(dead, [])
})

test('every npm script that a document for contributors names exists', () => {
  const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }
  const unknown = documents
    .filter((file) => /^[A-Z]+\.md$|^docs\//.test(file))
    .flatMap((file) =>
      [...textOf(file).matchAll(/npm run ([a-z][\w:]*)/g)].map(([, name]) => `${file}: ${name}`),
    )
    .filter((named) => !(named.split(': ')[1]! in scripts))
  assert.deepEqual(unknown, [])
})

test('no document refers to documents outside the repository', () => {
  const outside = /\bDESIGN(\.md|\b.s\b)|policy-language\.md|threats\.md|the design's/
  assert.deepEqual(
    documents.filter((file) => outside.test(textOf(file))),
    [],
  )
})

test('a decision without one of its three parts is refused', () => {
  const text = '# Title\n\n## Context\n\nA.\n\n## Decision\n\nB.\n\n## Consequence\n\nC.\n'
  assert.equal(decisionTitle('0001-title.md', text), 'Title')
  for (const heading of ['# Title', '## Context', '## Decision', '## Consequence'])
    assert.throws(
      () => decisionTitle('0001-title.md', text.replace(`${heading}\n`, '')),
      /0001-title/,
    )
  assert.throws(() => decisionTitle('0001-title.md', text + '\n'.repeat(60)), /at most/)
})
