// An owner can learn under which values the collector knows the installation, and can make it
// forget who it is; neither makes an identity, and no command ever prints the secret or the id.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { ownPseudonyms } from '../../src/anonymize/own-pseudonyms.ts'
import { runCommand } from '../../src/cli/commands.ts'
import { openIdentity, resetIdentity } from '../../src/identity/identity.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { Counters } from '../../src/support/counters.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { NOW, spansOf } from '../support/anonymize.ts'
import { DEFAULT_POLICY_FILE, defaultPolicy, policyText, SECRET } from '../support/spans.ts'

const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

async function identityFolder(t: TestContext): Promise<string> {
  const folder = join(await temporaryFolder(t), 'identity')
  await mkdir(folder)
  await writeFile(join(folder, 'instance-id'), `${ULID}\n`)
  await writeFile(join(folder, 'secret'), `${SECRET.toString('hex')}\n`)
  return folder
}

async function call(args: readonly string[], env: Record<string, string> = {}) {
  const out: string[] = []
  const err: string[] = []
  const status = await runCommand(['identity', ...args], {
    env,
    machine: { arch: 'x64', platform: 'linux', memoryLimit: undefined },
    self: [],
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    stdin: (async function* () {})(),
    forget: () => undefined,
    terminal: undefined,
    onStop: () => undefined,
  })
  const printed = { status, out: out.join(''), err: err.join('') }
  for (const text of [printed.out, printed.err])
    assert.ok(!text.includes(ULID) && !text.includes(SECRET.toString('hex')))
  return printed
}

test('the values are those that leave, in the resource and in each span, with how long they last', () => {
  const policy = parsePolicy(
    `compat: true\nlimits: none\n${policyText(
      `usage.heartbeat:
  attributes:
    monthly: {from: "fact:instance.id", pseudonym: month, reason: Because.}
    shaped: {from: "fact:instance.id", shape: ulid, pseudonym: day, reason: Because.}
    refused: {from: "fact:instance.id", shape: uuid, pseudonym: day, reason: Because.}
    hashed: {from: "fact:instance.id", or: other, hash: sha256, reason: Because.}
    joined: {from: [name, "fact:instance.id"], pseudonym: day, reason: Because.}
    second: {from: name, or: "fact:instance.id", pseudonym: day, reason: Because.}
    salted: {from: ["fact:instance.id", "text:salt"], hash: sha256, reason: Because.}
    keyed: {from: "text:demo", hmac: sha256, key: "fact:instance.id", reason: Because.}
    literal: {from: "text:here", pseudonym: month, reason: Because.}
    everybody: {from: "text:here", hash: md5, reason: Because.}
    strange: {from: "fact:instance.id", hmac: sha256, key: name, reason: Because.}
    gone: {from: "fact:instance.id", pseudonym: day, expires: 2026-10-04, reason: Because.}
    word: {keep: [a], reason: Because.}`,
      'daily: {from: "fact:instance.id", pseudonym: day, reason: Because.}',
    )}`,
  )
  const facts = new Map([['instance.id', ULID]])
  const anonymizer = createAnonymizer({
    policy,
    facts,
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 65_536,
  })
  const sent = new Map(
    spansOf(anonymizer.heartbeat(NOW))[0]!.attributes.map(({ key, value }) => [
      key,
      value!.stringValue!,
    ]),
  )
  const own = ownPseudonyms(policy, ULID, SECRET, NOW)
  assert.deepEqual(
    own.map(({ span, name, lasts }) => [span, name, lasts]),
    [
      [undefined, 'daily', 'day'],
      ['usage.heartbeat', 'monthly', 'month'],
      ['usage.heartbeat', 'shaped', 'day'],
      ['usage.heartbeat', 'hashed', 'forever'],
      ['usage.heartbeat', 'second', 'day'],
      ['usage.heartbeat', 'salted', 'forever'],
      ['usage.heartbeat', 'keyed', 'forever'],
      ['usage.heartbeat', 'literal', 'month'],
    ],
  )
  for (const { span, name, value } of own)
    if (span !== undefined) assert.equal(value, sent.get(name), name)
  assert.ok(Buffer.from(anonymizer.resource()).includes(own[0]!.value))
  assert.equal(own[3]!.value, createHash('sha256').update(ULID).digest('hex'))
})

test('identity show prints the values of today, whom to ask, and takes flags or settings', async (t) => {
  const folder = await identityFolder(t)
  const before = Date.now()
  const shown = await call(['show', '--policy', DEFAULT_POLICY_FILE, '--identity-dir', folder])
  const values = [before, Date.now()].flatMap((now) =>
    ownPseudonyms(defaultPolicy(), ULID, SECRET, now).map(({ value }) => value),
  )
  assert.deepEqual([shown.status, shown.err], [0, ''])
  const [, value] =
    /span usage\.heartbeat +installation\.id +new every month +([0-9a-f]{32})\n/.exec(shown.out) ??
    []
  assert.ok(values.includes(String(value)), shown.out)
  assert.match(shown.out, /To ask for deletion send these values to usage@example\.org\./)
  const settings = await call(['show'], {
    USAGE_POLICY: DEFAULT_POLICY_FILE,
    USAGE_IDENTITY_DIR: folder,
  })
  assert.ok(settings.out.includes(String(value)))
})

test('identity show tells what the overlay leaves, and says so when nothing identifies the installation', async (t) => {
  const folder = await identityFolder(t)
  const overlay = join(folder, 'overlay.yaml')
  await writeFile(
    overlay,
    'apiVersion: usage-sidecar.dev/v1\nnarrows: example.org/demo\nspans: {usage.heartbeat: {attributes: {installation.id: drop}}}\n',
  )
  const { status, out } = await call([
    'show',
    '--policy',
    DEFAULT_POLICY_FILE,
    '--identity-dir',
    folder,
    '--policy-overlay',
    overlay,
  ])
  assert.equal(status, 0)
  assert.match(out, /sends nothing that is made from the installation’s id alone\.\n$/)
  const text = policyText('execution: {}')
  assert.equal(
    (await call(['show', '--identity-dir', folder], { USAGE_POLICY_TEXT: text })).out.includes(
      'sends nothing',
    ),
    true,
  )
})

test('identity show makes no identity, and says what is missing', async (t) => {
  const folder = join(await temporaryFolder(t), 'none')
  const none = await call(['show', '--policy', DEFAULT_POLICY_FILE, '--identity-dir', folder])
  assert.deepEqual([none.status, none.out], [1, ''])
  assert.match(
    none.err,
    /^There is no identity, so nothing is sent that tells this installation from another: .*ENOENT/,
  )
  await assert.rejects(readdir(folder), { code: 'ENOENT' })
  assert.equal((await call(['show', '--policy', DEFAULT_POLICY_FILE])).status, 2)
  assert.equal((await call(['show', '--identity-dir', folder])).status, 2)
  assert.equal((await call(['show', '--identity-dir', folder, 'more'])).status, 2)
  const broken = await call(['show', '--identity-dir', folder], { USAGE_POLICY_TEXT: 'a: 1' })
  assert.equal(broken.status, 64)
  assert.match(broken.err, /^USAGE_POLICY_TEXT:1:1: /)
  assert.equal(
    (await call(['show', '--identity-dir', folder, '--policy', join(folder, 'missing')])).status,
    64,
  )
})

test('identity reset asks first, and says what it means', async (t) => {
  const folder = await identityFolder(t)
  const asked = await call(['reset', '--identity-dir', folder])
  assert.deepEqual([asked.status, asked.out], [2, ''])
  assert.match(
    asked.err,
    /counts as a new one[\s\S]*stays with the collector[\s\S]*Nothing was changed\. .*--yes\n$/,
  )
  assert.deepEqual((await readdir(folder)).sort(), ['instance-id', 'secret'])
})

test('identity reset removes id, secret and what a killed process left of them, and nothing else', async (t) => {
  const folder = await identityFolder(t)
  await writeFile(join(folder, '.secret-0123456789abcdef'), SECRET.toString('hex'))
  await writeFile(join(folder, '.instance-id-0123456789abcdef'), ULID)
  await writeFile(join(folder, 'secret.note'), 'of the owner')
  const old = openIdentity(folder, false)
  const reset = await call(['reset', '--yes'], { USAGE_IDENTITY_DIR: folder })
  assert.deepEqual([reset.status, reset.err], [0, ''])
  assert.match(reset.out, /^The identity is gone\.\nFrom the next start on/)
  assert.deepEqual(await readdir(folder), ['secret.note'])
  assert.match(
    (await call(['reset', '--yes', '--identity-dir', folder])).out,
    /^There is no identity\./,
  )
  assert.match(
    (await call(['reset', '--yes', '--identity-dir', join(folder, 'none')])).out,
    /^There is no identity\./,
  )
  const made = openIdentity(folder, true)
  assert.ok(!('reason' in made) && !('reason' in old))
  assert.notEqual(made.instanceId, old.instanceId)
  assert.notDeepEqual(made.secret, old.secret)
})

test('identity reset says what to do where the folder cannot be written to', async (t) => {
  const folder = await identityFolder(t)
  const asRoot = process.geteuid?.() === 0
  await chmod(join(folder, '..'), 0o755)
  await chmod(folder, 0o555)
  if (asRoot) process.seteuid!(65_534)
  try {
    const { status, err } = await call(['reset', '--yes', '--identity-dir', folder])
    assert.equal(status, 1)
    assert.match(
      err,
      /^The identity cannot be removed \(EACCES\)\. In Kubernetes it is a Secret: delete that/,
    )
    assert.throws(() => resetIdentity(folder), { code: 'EACCES' })
  } finally {
    if (asRoot) process.seteuid!(0)
    await chmod(folder, 0o755)
  }
  assert.deepEqual((await readdir(folder)).sort(), ['instance-id', 'secret'])
})
