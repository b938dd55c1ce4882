// The commands that look at files: what they print of a sound one, and what of one that is none.
// Nothing that a policy does not name and no wrong input is ever repeated.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { openTestQueue, temporaryFolder, yes } from '../queue/queue-setup.ts'
import { call, type Ended, EXIT, fileWith } from '../support/program.ts'
import {
  attribute,
  DEFAULT_POLICY_FILE,
  policyText,
  request,
  span,
  text,
} from '../support/spans.ts'

test('policy check prints what a sound policy lets out', () => {
  const { status, stdout, stderr } = call(['policy', 'check', DEFAULT_POLICY_FILE])
  assert.deepEqual([status, stderr], [EXIT.done, ''])
  for (const word of ['example.org/demo', 'execution.type', 'stage.provider', 'usage.heartbeat'])
    assert.ok(stdout.includes(word), word)
  assert.match(stdout, /\b[0-9a-f]{64}\b/)
})

test('policy check prints every error with its line and column, in their order', async (t) => {
  const wrong = policyText(
    'execution:\n  attributes:\n    b: {keep: []}\n    a: {keep: [x], reason: A test., CANARY: 1}\n  CANARY: 2',
  )
    .replace('version: 1', 'version: one')
    .replace('contact: a@example.org\n', '')
  const file = await fileWith(t, 'policy.yaml', wrong)
  const { status, stdout, stderr } = call(['policy', 'check', file])
  assert.deepEqual([status, stdout], [EXIT.config, ''])
  const lines = stderr.trimEnd().split('\n')
  const count = Number(
    /^(\d+) errors\. With this policy nothing would be kept or sent\.$/.exec(lines.pop()!)?.[1],
  )
  assert.equal(lines.length, count)
  const places = lines.map((line) => {
    assert.ok(line.startsWith(`${file}:`), line)
    return /^(\d+):(\d+): [A-Z`].*\.$/
      .exec(line.slice(file.length + 1))!
      .slice(1)
      .map(Number) as [number, number]
  })
  const lineOf = (words: string): number =>
    wrong.split('\n').findIndex((line) => line.includes(words)) + 1
  for (const words of ['version: one', 'b: {keep: []}', 'CANARY: 1', 'CANARY: 2'])
    assert.ok(
      places.some(([line]) => line === lineOf(words)),
      words,
    )
  assert.ok(lines.some((line) => line.includes('`contact` is missing.')))
  assert.deepEqual(
    places,
    [...places].sort((a, b) => a[0] - b[0] || a[1] - b[1]),
  )
})

test('a policy that cannot be read is told by its name', async (t) => {
  const missing = join(await temporaryFolder(t), 'policy.yaml')
  const told = { status: EXIT.config, stdout: '', stderr: `${missing}: cannot be read.\n` }
  assert.deepEqual(call(['policy', 'check', missing]), told)
  assert.deepEqual(call(['policy', 'preview', '--policy', missing, '--input', '-']), told)
})

const SPANS = request(
  span({
    more: [
      attribute('execution.type', text('Pipeline')),
      attribute('execution.status', text('succeeded')),
    ],
  }),
  span({ name: 'secret', more: [attribute('execution.type', text('CANARY'))] }),
)
const JSON_SPANS = JSON.stringify({
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: [
            {
              traceId: '07'.repeat(16),
              spanId: '09'.repeat(8),
              name: 'execution',
              startTimeUnixNano: String(BigInt(Date.UTC(2026, 9, 5, 13, 47, 11)) * 1_000_000n),
              endTimeUnixNano: String(BigInt(Date.UTC(2026, 9, 5, 13, 47, 11)) * 1_000_000n),
              attributes: [
                { key: 'execution.type', value: { stringValue: 'Pipeline' } },
                { key: 'execution.status', value: { stringValue: 'succeeded' } },
              ],
            },
            { traceId: '07'.repeat(16), spanId: '09'.repeat(8), name: 'secret', attributes: [] },
          ],
        },
      ],
    },
  ],
})

test('policy preview prints the same of protobuf and of JSON, of a file, a compressed file and standard input', async (t) => {
  const preview = (input: string, stdin: Uint8Array | string = ''): string => {
    const facts = '{"app.version": "1.2.3-CANARY"}'
    const { status, stdout, stderr } = call(
      ['policy', 'preview', '--policy', DEFAULT_POLICY_FILE, '--input', input, '--facts', facts],
      stdin,
    )
    assert.deepEqual([status, stderr], [EXIT.done, ''], input)
    // Ids are made anew for each call.
    return stdout.replaceAll(/\b[0-9a-f]{16,32}\b/g, 'ID')
  }
  const printed = preview(await fileWith(t, 'spans.pb', SPANS))
  for (const line of [
    'span execution',
    'time 2026-10-05',
    'execution.type         pipeline',
    'app.version            1.2.3',
  ])
    assert.ok(printed.includes(line), `${line} is not in\n${printed}`)
  assert.match(
    printed,
    /\n2 spans in, 1 would leave; 1 are not named in the policy, 0 are not valid\.\n/,
  )
  assert.doesNotMatch(printed, /CANARY|secret/)
  assert.equal(preview(await fileWith(t, 'spans.json', JSON_SPANS)), printed)
  assert.equal(preview(await fileWith(t, 'spans.json.gz', gzipSync(JSON_SPANS))), printed)
  for (const bytes of [SPANS, JSON_SPANS, `\n\t ${JSON_SPANS}`, gzipSync(SPANS)])
    assert.equal(preview('-', bytes), printed)
})

test('policy preview says so where nothing would leave', () => {
  const nothing = request(span({ name: 'secret' }))
  const { status, stdout } = call(
    ['policy', 'preview', '--policy', DEFAULT_POLICY_FILE, '--input', '-'],
    nothing,
  )
  assert.equal(status, EXIT.done)
  assert.match(stdout, /^Nothing of this would leave\.\n\n1 spans in, 0 would leave;/)
})

test('policy preview fails on what is no request, and says where, but not what', async (t) => {
  for (const input of [
    '{"CANARY": ',
    '{"resourceSpans": "CANARY"}',
    'CANARY',
    gzipSync('CANARY CANARY').subarray(0, 20),
  ]) {
    const file = await fileWith(t, 'input', input)
    const { status, stdout, stderr } = call([
      'policy',
      'preview',
      '--policy',
      DEFAULT_POLICY_FILE,
      '--input',
      file,
    ])
    assert.deepEqual([status, stdout], [EXIT.failed, ''])
    assert.ok(stderr.startsWith(`${file}: `), stderr)
    assert.doesNotMatch(stderr, /CANARY/)
  }
})

test('policy preview with wrong configuration tells every error and prints nothing', async (t) => {
  const policy = await fileWith(
    t,
    'policy.yaml',
    policyText('execution:\n  attributes:\n    a: {keep: []}'),
  )
  const preview = (...args: string[]): Ended => call(['policy', 'preview', '--input', '-', ...args])
  const wrong = preview('--policy', policy)
  assert.deepEqual([wrong.status, wrong.stdout], [EXIT.config, ''])
  for (const line of wrong.stderr.trimEnd().split('\n'))
    assert.match(line.slice(policy.length), /^:\d+:\d+: /)
  assert.ok(wrong.stderr.split('\n').length > 2, wrong.stderr)
  const facts = preview(
    '--policy',
    DEFAULT_POLICY_FILE,
    '--facts',
    '{"a": ["CANARY"], "b": ["CANARY"]}',
  )
  assert.equal(facts.status, EXIT.config)
  assert.match(facts.stderr, /^--facts, fact 1: .*\n--facts, fact 2: .*\n$/)
  const missing = call([
    'policy',
    'preview',
    '--policy',
    DEFAULT_POLICY_FILE,
    '--input',
    '/nowhere',
  ])
  assert.deepEqual(missing, {
    status: EXIT.config,
    stdout: '',
    stderr: '/nowhere: cannot be read.\n',
  })
})

test('show prints a file of the queue and the same file as it is sent, with its digest', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await queue.append(request(span()), 1)
  await queue.append(request(span({ name: 'stage' })), 1)
  const place = async (name: string): Promise<string> =>
    join(folder, name, (await readdir(join(folder, name)))[0]!)
  const digestOf = async (file: string): Promise<string> =>
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex')
  const printed: string[] = []
  const show = async (file: string): Promise<void> => {
    const { status, stdout, stderr } = call(['show', file])
    assert.deepEqual([status, stderr], [EXIT.done, ''], file)
    assert.ok(
      stdout.endsWith(`\nsha256 ${await digestOf(file)}  ${(await readFile(file)).length} bytes\n`),
      stdout,
    )
    printed.push(stdout.slice(0, stdout.lastIndexOf('\nsha256')))
  }
  await show(await place('queue'))
  assert.ok(printed[0]!.includes('  span execution\n') && printed[0]!.includes('  span stage\n'))
  await queue.seal()
  const body = await queue.next(yes)
  await show(await place('sending'))
  await queue.recordAttempt(body!)
  await queue.recordOutcome(body!, { result: 'delivered', status: 200 })
  await show(await place('sent'))
  assert.equal(printed[1], printed[2])
  assert.deepEqual(
    [...printed[1]!.matchAll(/span \w+/g)].map(String).sort(),
    [...printed[0]!.matchAll(/span \w+/g)].map(String).sort(),
  )
})

test('show lists what waits, what left and the receipts, and opens each by the name that it lists', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  const show = (...args: string[]) => call(['show', ...args], '', { USAGE_DATA_DIR: folder })
  assert.match(
    show().stdout,
    /^waits\n {2}nothing\n\nleft, and is kept\n {2}nothing\n\nreceipts .*\n {2}nothing\n$/m,
  )
  for (const status of [200, 503]) {
    await queue.append(request(span()), 1)
    await queue.seal()
    const body = await queue.next(yes)
    await queue.recordAttempt(body!)
    await queue.recordOutcome(body!, { result: status === 200 ? 'delivered' : 'retry', status })
  }
  await queue.append(request(span({ name: 'stage' })), 1)
  const listed = show()
  assert.deepEqual([listed.status, listed.stderr], [EXIT.done, ''])
  const names = [...listed.stdout.matchAll(/^ {2}(\w+\/[\w.]+) +\d+ bytes$/gm)].map(
    (match) => match[1]!,
  )
  assert.deepEqual(names, [
    'sending/000000000002.otlp.gz',
    'queue/000000000003.otlp',
    'sent/000000000001.otlp.gz',
  ])
  assert.match(
    listed.stdout,
    /000000000002 {2}1 spans in 1 batches, \d+ bytes {2}retry \(503\)\n.*000000000001 .*delivered \(200\)\n$/,
  )
  for (const name of names)
    assert.match(show(name).stdout, /^batch 1\n(?:.*\n)*sha256 [0-9a-f]{64} {2}\d+ bytes\n$/)
  const digest = createHash('sha256')
    .update(await readFile(join(folder, names[2]!)))
    .digest('hex')
  for (const file of ['receipts.jsonl', join(folder, 'receipts.jsonl')])
    assert.ok(show(file).stdout.includes(`sha256 ${digest}  policy policy-a\n`))
  assert.deepEqual(call(['show', '--data-dir', folder]), listed)
  for (const args of [['receipts.jsonl'], []])
    assert.equal(show(...args, '--data-dir', '/nowhere').status, EXIT.config)
})

test('show fails on a file that is no request, and repeats nothing of it', async (t) => {
  for (const content of [
    'CANARY',
    gzipSync('CANARY'),
    gzipSync(request(span())).subarray(0, 30),
    Buffer.from([0x1f, 0x8b]),
  ]) {
    const file = await fileWith(t, 'file', content)
    const { status, stdout, stderr } = call(['show', file])
    assert.deepEqual([status, stdout], [EXIT.failed, ''])
    assert.ok(stderr.startsWith(`${file}: `) && !stderr.includes('CANARY'), stderr)
  }
  assert.deepEqual(call(['show', '/nowhere']), {
    status: EXIT.config,
    stdout: '',
    stderr: '/nowhere: cannot be read.\n',
  })
})
