// The policy commands as a person or a script calls them: exit codes, where what is printed goes,
// and every form of input that a preview takes.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { temporaryFolder } from '../queue/queue-setup.ts'
import {
  attribute,
  DEFAULT_POLICY_FILE,
  policyText,
  request,
  span,
  text,
} from '../support/spans.ts'

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
const DONE = 0
const FAILED = 1
const USAGE = 2
const UNREVIEWED = 3
const CONFIG = 64

function policy(args: readonly string[], input: Uint8Array = Buffer.alloc(0)) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'policy', ...args], {
    input,
    timeout: 60_000,
    encoding: 'buffer',
  })
  return { status, out: stdout.toString('utf8'), err: stderr.toString('utf8') }
}

/** Writes files into a folder of this test and gives their paths. */
async function files(
  t: TestContext,
  contents: Record<string, Uint8Array | string>,
): Promise<(name: string) => string> {
  const folder = await temporaryFolder(t)
  for (const [name, content] of Object.entries(contents))
    await writeFile(join(folder, name), content)
  return (name) => join(folder, name)
}

const SOUND = policyText('execution:\n  attributes:\n    a: {keep: [x, y], reason: Because.}')
const WIDE = `limits: {recordBits: 1, stableBits: 1}\n${SOUND}`
const BROKEN = SOUND.replace('keep', 'kepe')

test('policy check: 0 and a summary, 1 over its limits, 64 with every error by place', async (t) => {
  const at = await files(t, { 'sound.yaml': SOUND, 'wide.yaml': WIDE, 'broken.yaml': BROKEN })
  const sound = policy(['check', at('sound.yaml')])
  assert.deepEqual([sound.status, sound.err], [DONE, ''])
  assert.match(sound.out, /^example\.org\/demo, policy version 1[\s\S]*How much it reveals:/)
  const wide = policy(['check', at('wide.yaml')])
  assert.equal(wide.status, FAILED)
  assert.match(wide.out, /How much it reveals:/)
  assert.ok(wide.err.startsWith(`${at('wide.yaml')}:`))
  assert.match(
    wide.err,
    /:10:3: One record of "execution" reveals 2\.0 bits, more than `limits\.recordBits` \(1\)\. The largest shares, 2\.0 bits together: a 2\.0\./,
  )
  const broken = policy(['check', at('broken.yaml')])
  assert.deepEqual([broken.status, broken.out], [CONFIG, ''])
  assert.match(broken.err, /broken\.yaml:11:11: The word `kepe` is unknown/)
  assert.match(broken.err, /\d errors?\. With this policy nothing would be kept or sent\.\n$/)
  assert.equal(policy(['check', at('missing.yaml')]).status, CONFIG)
  assert.equal(policy(['check']).status, USAGE)
})

test('a policy that has expired lets nothing leave: 1 from check, and a preview says so', async (t) => {
  const at = await files(t, {
    'old.yaml': SOUND.replace('2999-12-31', '2020-02-29'),
    'spans.pb': PROTOBUF,
  })
  const checked = policy(['check', at('old.yaml')])
  assert.deepEqual([checked.status, checked.out.includes('How much it reveals:')], [FAILED, true])
  assert.match(
    checked.err,
    /^It expired on 2020-02-29\. [^\n]* With this policy nothing would be kept or sent\.\n$/,
  )
  const { status, out, err } = policy([
    'preview',
    '--policy',
    at('old.yaml'),
    '--input',
    at('spans.pb'),
  ])
  assert.deepEqual([status, err], [DONE, ''])
  assert.match(
    out,
    /^Nothing of this would leave, because of the policy: It expired on 2020-02-29\.[^\n]*\n$/,
  )
})

test('policy sheet: markdown by default, HTML and JSON on request, 64 for a policy that would not run', async (t) => {
  const at = await files(t, { 'wide.yaml': WIDE, 'broken.yaml': BROKEN })
  const plain = policy(['sheet', DEFAULT_POLICY_FILE])
  assert.deepEqual([plain.status, plain.err], [DONE, ''])
  assert.match(plain.out, /^# What example\.org\/demo learns about its use\n/)
  assert.deepEqual(policy(['sheet', DEFAULT_POLICY_FILE, '--format', 'markdown']), plain)
  assert.match(
    policy(['sheet', DEFAULT_POLICY_FILE, '--format', 'html']).out,
    /^<!doctype html>[\s\S]*<\/html>\n$/,
  )
  const json = policy(['sheet', '--format', 'json', DEFAULT_POLICY_FILE])
  assert.equal(json.status, DONE)
  assert.equal((JSON.parse(json.out) as { project: string }).project, 'example.org/demo')
  const odd = policy(['sheet', DEFAULT_POLICY_FILE, '--format', 'pdf'])
  assert.deepEqual([odd.status, odd.out], [USAGE, ''])
  for (const name of ['wide.yaml', 'broken.yaml', 'missing.yaml']) {
    const { status, out, err } = policy(['sheet', at(name)])
    assert.deepEqual([status, out], [CONFIG, ''], name)
    assert.ok(err.startsWith(`${at(name)}:`), err)
  }
})

test('policy diff: 0 where nothing is new or it was reviewed, 3 where it was not, 64 for a broken policy', async (t) => {
  const more = SOUND.replace('[x, y]', '[x, y, z]')
  const reviewed = `review: https://example.org/2\n${more}`
  const at = await files(t, {
    'old.yaml': SOUND,
    'more.yaml': more,
    'reviewed.yaml': reviewed,
    'broken.yaml': BROKEN,
    'wide.yaml': WIDE,
  })
  const same = policy(['diff', at('old.yaml'), at('old.yaml')])
  assert.deepEqual([same.status, same.err], [DONE, ''])
  assert.match(same.out, /Would newly leave:\n {2}nothing\n\nWould no longer leave:\n {2}nothing\n/)
  const unreviewed = policy(['diff', at('old.yaml'), at('more.yaml')])
  assert.equal(unreviewed.status, UNREVIEWED)
  assert.match(unreviewed.out, /Would newly leave:\n {2}span execution: a: z\n/)
  assert.match(unreviewed.err, /^Something new would leave, and "review" is/)
  assert.equal(policy(['diff', at('old.yaml'), at('reviewed.yaml')]).status, DONE)
  const less = policy(['diff', at('more.yaml'), at('old.yaml')])
  assert.equal(less.status, DONE)
  assert.match(less.out, /Would no longer leave:\n {2}span execution: a: z\n/)
  for (const name of ['broken.yaml', 'wide.yaml', 'missing.yaml']) {
    assert.equal(policy(['diff', at('old.yaml'), at(name)]).status, CONFIG, name)
    assert.equal(policy(['diff', at(name), at('old.yaml')]).status, CONFIG, name)
  }
  assert.equal(policy(['diff', at('old.yaml')]).status, USAGE)
})

const PROTOBUF = request(span({ more: [attribute('a', text('x'))] }), span({ name: 'other' }))
const SPAN_JSON = {
  traceId: '07'.repeat(16),
  spanId: '09'.repeat(8),
  startTimeUnixNano: '1791207431000000000',
  endTimeUnixNano: '1791207431000000000',
}
const JSON_TEXT = JSON.stringify({
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: [
            {
              ...SPAN_JSON,
              name: 'execution',
              attributes: [{ key: 'a', value: { stringValue: 'x' } }],
            },
            { ...SPAN_JSON, name: 'other' },
          ],
        },
      ],
    },
  ],
})

test('policy preview: protobuf and JSON, packed or not, from a file and from standard input, give the same', async (t) => {
  const inputs = { protobuf: PROTOBUF, json: Buffer.from(`\n  ${JSON_TEXT}\n`) }
  const forms = Object.entries(inputs).flatMap(([name, plain]): [string, Buffer][] => [
    [name, plain],
    [`${name}.gz`, gzipSync(plain)],
  ])
  const at = await files(t, { 'policy.yaml': SOUND, ...Object.fromEntries(forms) })
  for (const [name, bytes] of forms) {
    for (const { status, out, err } of [
      policy(['preview', '--policy', at('policy.yaml'), '--input', at(name)]),
      policy(['preview', '--policy', at('policy.yaml'), '--input', '-'], bytes),
    ]) {
      assert.deepEqual([status, err], [DONE, ''], name)
      assert.match(out, /^batch 1\n/)
      assert.match(out, / {2}span execution\n[\s\S]*time 2026-10-05\n {4}a {22}x\n/)
      assert.match(
        out,
        /\n2 spans in, 1 would leave; 1 are not named in the policy, 0 are not valid\.\n/,
      )
    }
  }
})

test('policy preview: says when nothing would leave, takes facts, and names what is wrong without repeating it', async (t) => {
  const resource = 'app.version: {from: "fact:app.version", version: minor, reason: Because.}'
  const at = await files(t, {
    'policy.yaml': policyText('execution: {}', resource),
    'spans.pb': PROTOBUF,
    'nothing.pb': request(span({ name: 'other' })),
    'cut.pb': PROTOBUF.subarray(0, PROTOBUF.length - 5),
    'cut.gz': gzipSync(PROTOBUF).subarray(0, 30),
    'canary.json': '{"resourceSpans": "CANARY"}',
    'broken.yaml': BROKEN,
  })
  const preview = (input: string, ...more: string[]) =>
    policy(['preview', '--policy', at('policy.yaml'), '--input', at(input), ...more])
  assert.match(
    preview('spans.pb', '--facts', '{"app.version": "1.32.0"}').out,
    / {2}app\.version {12}1\.32\n/,
  )
  const nothing = preview('nothing.pb')
  assert.equal(nothing.status, DONE)
  assert.match(nothing.out, /^Nothing of this would leave\.\n/)
  for (const name of ['cut.pb', 'cut.gz', 'canary.json']) {
    const { status, out, err } = preview(name)
    assert.deepEqual([status, out], [FAILED, ''], name)
    assert.ok(err.startsWith(`${at(name)}: `), err)
    assert.doesNotMatch(err, /CANARY/)
  }
  assert.equal(preview('missing.pb').status, CONFIG)
  assert.equal(preview('spans.pb', '--facts', 'CANARY').status, CONFIG)
  assert.equal(
    policy(['preview', '--policy', at('broken.yaml'), '--input', at('spans.pb')]).status,
    CONFIG,
  )
  assert.equal(policy(['preview', '--policy', at('policy.yaml')]).status, USAGE)
})
