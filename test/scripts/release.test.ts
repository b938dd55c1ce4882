// What the release refuses, what it writes about itself, and the commands that publish it.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseProject, placeholders, projectVariables } from '../../scripts/project.ts'
import { releaseErrors } from '../../scripts/release/check.ts'
import { releaseNotes, sectionOf } from '../../scripts/release/notes.ts'
import { publishCommands, publishRelease } from '../../scripts/release/publish.ts'
import { readSources } from '../../scripts/release/sources.ts'

const READY = {
  version: '1.2.0',
  chartVersions: { 'usage-sidecar': '1.2.0', 'usage-sidecar-library': '1.2.0' },
  changelog: '# Changelog\n\n## 1.2.0 (2026-12-01)\n\n- New.\n\n## 1.1.0 (2026-01-01)\n\n- Old.\n',
}
const REAL = parseProject(`
REPOSITORY=https://github.com/acme/usage-sidecar
IMAGES=ghcr.io/acme
CHARTS=ghcr.io/acme/charts
SECURITY_CONTACT=security@acme.test
CONDUCT_CONTACT=conduct@acme.test
`)

test('the release accepts a checkout that is ready', () => {
  assert.deepEqual(placeholders(REAL), [])
  assert.deepEqual(releaseErrors('v1.2.0', READY, []), [])
})

test('the release refuses every placeholder, wrong version and undated changelog by name', () => {
  const errors = (change: object, tag = 'v1.2.0', missing: string[] = []): string[] =>
    releaseErrors(tag, { ...READY, ...change }, missing)
  assert.match(errors({}, 'v1.2.0', ['IMAGES']).join(), /release\.env.*IMAGES/)
  assert.match(errors({}, '1.2.0').join(), /tag 1\.2\.0 must be v1\.2\.0/)
  assert.match(
    errors({ chartVersions: { 'usage-sidecar': '1.1.0' } }).join(),
    /usage-sidecar\/Chart\.yaml: set version to 1\.2\.0/,
  )
  assert.match(
    errors({ changelog: '## 1.2.0 (unreleased)\n' }).join(),
    /CHANGELOG\.md: replace "unreleased"/,
  )
  assert.match(errors({ changelog: '## 1.2.0\n' }).join(), /CHANGELOG\.md/)
  assert.match(errors({ changelog: '# Changelog\n' }).join(), /CHANGELOG\.md: add the section/)
})

test('a placeholder in any variable is found', () => {
  const values = { ...REAL }
  for (const name of Object.keys(values) as (keyof typeof REAL)[])
    for (const value of ['ghcr.io/example', 'security@example.org', 'https://x.test/example/y'])
      assert.deepEqual(placeholders({ ...REAL, [name]: value }), [name])
})

test('variables that are missing, empty or unknown are errors', () => {
  assert.throws(() => parseProject('REPOSITORY=https://x.test\n'), /set IMAGES, CHARTS/)
  const text = Object.entries(REAL).map(([name, value]) => `${name}=${value}`)
  assert.throws(() => parseProject([...text, 'IMAGES='].join('\n')), /set IMAGES/)
  assert.throws(() => parseProject([...text, 'IMAGE=x'].join('\n')), /remove IMAGE/)
})

test('the checkout has a version in one spelling, and a section of the changelog for it', () => {
  const { version, chartVersions, changelog } = readSources()
  for (const [chart, chartVersion] of Object.entries(chartVersions))
    assert.equal(chartVersion, version, chart)
  assert.ok(sectionOf(changelog, version))
  assert.ok(projectVariables().REPOSITORY.startsWith('https://'))
})

test('the notes are one section of the changelog and the digests of the images', () => {
  const section = sectionOf(READY.changelog, '1.2.0')!
  assert.deepEqual(section, { date: '2026-12-01', text: '- New.' })
  assert.equal(
    releaseNotes(section, { 'ghcr.io/acme/usage-sidecar': 'sha256:12' }),
    '- New.\n\n## Images\n\n- `ghcr.io/acme/usage-sidecar@sha256:12`\n',
  )
  assert.equal(sectionOf(READY.changelog, '1.2'), undefined)
})

test('the page of the release is published after everything that it names', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'usage-release-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [part, name] of [
    ['npm', 'usage-sidecar-1.2.0.tgz'],
    ['charts', 'usage-sidecar-1.2.0.tgz'],
    ['assets', 'SHA256SUMS'],
  ] as const) {
    mkdirSync(join(folder, part))
    writeFileSync(join(folder, part, name), '')
  }
  const commands = publishCommands(folder, 'v1.2.0', '1.2.0', REAL)
  const lines = commands.map(({ program, args }) =>
    [program, ...args].join(' ').replaceAll(folder, 'F'),
  )
  assert.deepEqual(lines, [
    'skopeo login ghcr.io --username $REGISTRY_USER --password-stdin',
    'skopeo copy --all oci:F/images/usage-sidecar:1.2.0 docker://ghcr.io/acme/usage-sidecar:1.2.0',
    'skopeo copy --all oci:F/images/usage-sidecar-facts:1.2.0 docker://ghcr.io/acme/usage-sidecar-facts:1.2.0',
    'helm registry login ghcr.io --username $REGISTRY_USER --password-stdin',
    'helm push F/charts/usage-sidecar-1.2.0.tgz oci://ghcr.io/acme/charts',
    'npm publish F/npm/usage-sidecar-1.2.0.tgz --provenance --access public',
    'gh release create v1.2.0 --verify-tag --title 1.2.0 --notes-file F/notes.md F/npm/usage-sidecar-1.2.0.tgz F/charts/usage-sidecar-1.2.0.tgz F/assets/SHA256SUMS',
  ])
})

test('publishing stops at the first command that fails, and asks for credentials first', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'usage-release-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const made = join(folder, 'made')
  const node = (code: string) => ({ program: process.execPath, args: ['-e', code] })
  const commands = [node('process.exit(1)'), node(`fs.writeFileSync(${JSON.stringify(made)}, '')`)]
  assert.throws(() => publishRelease(commands, {}), /REGISTRY_USER/)
  const env = { REGISTRY_USER: 'a', REGISTRY_PASSWORD: 'b' }
  assert.throws(() => publishRelease(commands, env), /Command failed/)
  assert.ok(!existsSync(made))
  publishRelease(commands.slice(1), env)
  assert.ok(existsSync(made))
  assert.throws(() => publishRelease(commands.slice(1), { REGISTRY_USER: 'a' }), /REGISTRY_PASS/)
})
