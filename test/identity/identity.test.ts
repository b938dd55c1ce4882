// The identity of the installation: created once by the first process, private, and never derived
// from anything else.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { type Identity, type NoIdentity, openIdentity } from '../../src/identity/identity.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'

const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
const SECRET = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0')).join('')

async function folderWith(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  return folder
}

function found(identity: Identity | NoIdentity): Identity {
  assert.ok(!('reason' in identity), JSON.stringify(identity))
  return identity
}

/** Without the rights of root, who may write everywhere. */
function asNobody<T>(act: () => T): T {
  if (process.geteuid?.() !== 0) return act()
  process.seteuid!(65_534)
  try {
    return act()
  } finally {
    process.seteuid!(0)
  }
}

test('creates an identity where there is none, and keeps it', async (t) => {
  const folder = join(await temporaryFolder(t), 'deep', 'identity')
  const made = found(openIdentity(folder, true))
  assert.match(made.instanceId, /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  assert.equal(made.secret.length, 32)
  for (const create of [true, false]) assert.deepEqual(openIdentity(folder, create), made)
  assert.equal(await readFile(join(folder, 'secret'), 'utf8'), `${made.secret.toString('hex')}\n`)
  assert.deepEqual((await readdir(folder)).sort(), ['instance-id', 'secret'])
})

test('gives each installation an identity of its own', async (t) => {
  const identities = await Promise.all(
    [1, 2, 3].map(async () => found(openIdentity(await temporaryFolder(t), true))),
  )
  assert.equal(new Set(identities.map(({ instanceId }) => instanceId)).size, 3)
  assert.equal(new Set(identities.map(({ secret }) => secret.toString('hex'))).size, 3)
})

test('lets no other user read the identity', async (t) => {
  const folder = join(await temporaryFolder(t), 'identity')
  const before = process.umask(0)
  t.after(() => process.umask(before))
  found(openIdentity(folder, true))
  const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
  assert.equal(await modeOf(folder), 0o700)
  for (const name of ['instance-id', 'secret'])
    assert.equal(await modeOf(join(folder, name)), 0o600, name)
})

test('uses a mounted Secret as it is, except for white space at the end', async (t) => {
  for (const [id, secret] of [
    [ULID, SECRET],
    [`${ULID}\n`, `${SECRET.toUpperCase()}\r\n`],
  ] as const) {
    const folder = await folderWith(t, { 'instance-id': id, secret })
    for (const create of [true, false])
      assert.deepEqual(openIdentity(folder, create), {
        instanceId: ULID,
        secret: Buffer.from(SECRET, 'hex'),
      })
    assert.deepEqual(
      [
        await readFile(join(folder, 'instance-id'), 'utf8'),
        await readFile(join(folder, 'secret'), 'utf8'),
      ],
      [id, secret],
    )
  }
})

test('creates a missing file beside an existing one', async (t) => {
  const withId = await folderWith(t, { 'instance-id': ULID })
  assert.equal(found(openIdentity(withId, true)).instanceId, ULID)
  const withSecret = await folderWith(t, { secret: SECRET })
  assert.equal(found(openIdentity(withSecret, true)).secret.toString('hex'), SECRET)
})

const REASONS: Record<string, [Record<string, string>, string]> = {
  'an id in small letters': [
    { 'instance-id': ULID.toLowerCase() },
    'the file instance-id does not hold a ULID',
  ],
  'an id with a letter that a ULID has not': [
    { 'instance-id': ULID.replace('A', 'U') },
    'the file instance-id does not hold a ULID',
  ],
  'an id that is too large': [
    { 'instance-id': `8${ULID.slice(1)}` },
    'the file instance-id does not hold a ULID',
  ],
  'an empty id': [{ 'instance-id': '' }, 'the file instance-id does not hold a ULID'],
  'a UUID': [
    { 'instance-id': 'c56a4180-65aa-42ec-a945-5fd21dec0538' },
    'the file instance-id does not hold a ULID',
  ],
  'an empty secret': [{ secret: '' }, 'the file secret does not hold 64 hex digits'],
  'a secret that is too short': [
    { secret: SECRET.slice(2) },
    'the file secret does not hold 64 hex digits',
  ],
  'a secret that is too long': [
    { secret: `${SECRET}00` },
    'the file secret does not hold 64 hex digits',
  ],
  'a secret that is no hex': [
    { secret: 'x'.repeat(64) },
    'the file secret does not hold 64 hex digits',
  ],
  'a secret in two lines': [
    { secret: `${SECRET.slice(32)}\n${SECRET.slice(31)}` },
    'the file secret does not hold 64 hex digits',
  ],
  'zeros for a secret': [{ secret: '0'.repeat(64) }, 'the file secret is not random'],
  'a short text again and again for a secret': [
    { secret: '0123456789abcdef'.repeat(4) },
    'the file secret is not random',
  ],
  'fifteen different bytes for a secret': [
    { secret: `${SECRET.slice(0, 30)}${'00'.repeat(17)}` },
    'the file secret is not random',
  ],
}
for (const [name, [files, reason]] of Object.entries(REASONS)) {
  test(`gives no identity with ${name}, and a reason that repeats nothing of it`, async (t) => {
    const folder = await folderWith(t, { 'instance-id': ULID, secret: SECRET, ...files })
    for (const create of [true, false]) assert.deepEqual(openIdentity(folder, create), { reason })
  })
}

test('creates nothing if it may not', async (t) => {
  const folder = await temporaryFolder(t)
  const none = { reason: 'the identity directory cannot be used (ENOENT)' }
  assert.deepEqual(openIdentity(undefined, true), { reason: 'USAGE_IDENTITY_DIR is not set' })
  assert.deepEqual(openIdentity(folder, false), none)
  assert.deepEqual(openIdentity(join(folder, 'nowhere'), false), none)
  for (const files of [{ 'instance-id': ULID }, { secret: SECRET }] as Record<string, string>[])
    assert.deepEqual(openIdentity(await folderWith(t, files), false), none)
  assert.deepEqual(await readdir(folder), [])
})

test('uses a complete identity in a read-only directory, and no other', async (t) => {
  const whole = { 'instance-id': ULID, secret: SECRET }
  for (const files of [whole, {}, { 'instance-id': ULID }, { secret: SECRET }] as Record<
    string,
    string
  >[]) {
    const folder = await folderWith(t, files)
    await chmod(folder, 0o555)
    const identity = asNobody(() => openIdentity(folder, true))
    await chmod(folder, 0o755)
    if (files === whole) assert.equal(found(identity).instanceId, ULID)
    else assert.deepEqual(identity, { reason: 'the identity directory cannot be used (EACCES)' })
    assert.deepEqual((await readdir(folder)).sort(), Object.keys(files).sort())
  }
})

test('gives processes that start at the same moment one identity', {
  timeout: 60_000,
}, async (t) => {
  const parent = await temporaryFolder(t)
  const source = `
    import { createInterface } from 'node:readline'
    import { openIdentity } from ${JSON.stringify(new URL('../../src/identity/identity.ts', import.meta.url))}
    for await (const line of createInterface({ input: process.stdin })) {
      const [folder, at] = line.split(' ')
      while (Date.now() < Number(at));
      const identity = openIdentity(folder, true)
      console.log(identity.reason ?? identity.instanceId + identity.secret.toString('hex'))
    }`
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', source]),
  )
  t.after(() => {
    for (const child of children) child.kill()
  })
  const answers = children.map((child) =>
    createInterface({ input: child.stdout })[Symbol.asyncIterator](),
  )
  for (let round = 0; round < 100; round++) {
    const folder = join(parent, String(round))
    // All start in the same millisecond, so that they compete.
    for (const child of children)
      child.stdin.write(`${folder} ${Date.now() + (round === 0 ? 500 : 5)}\n`)
    const given = await Promise.all(
      answers.map(async (answer) => String((await answer.next()).value)),
    )
    assert.equal(new Set(given).size, 1, given.join('\n'))
    assert.deepEqual((await readdir(folder)).sort(), ['instance-id', 'secret'])
    await rm(folder, { recursive: true })
  }
})
