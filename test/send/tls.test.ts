// The collector proves its identity over TLS 1.2 or newer, whatever the environment says. No
// connection can be linked to an earlier one by a resumed session.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import type { ServerOptions } from 'node:https'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import tls, { type TLSSocket } from 'node:tls'
import { type Destination, openPoster, SYSTEM_CERTIFICATES } from '../../src/send/post.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { type Certified, createAuthority } from '../support/certificates.ts'
import { destinationOf, startTestCollector, statuses } from '../support/sender.ts'

const BODY = Buffer.from('body')
const authority = createAuthority()
const collector = authority.issue('collector', 'localhost', '127.0.0.1')
const trusted = { caFile: authority.cert }

/** The contents of the files that the settings name. */
type Files = Partial<Record<'caFile' | 'clientCertFile' | 'clientKeyFile', string>>

/** One POST to a collector with these options. */
async function post(
  t: TestContext,
  options: ServerOptions,
  files: Files = trusted,
  host = '127.0.0.1',
) {
  const folder = await temporaryFolder(t)
  const paths: Partial<Destination> = {}
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name)
    await writeFile(path, content)
    Object.assign(paths, { [name]: path })
  }
  const collecting = await startTestCollector(t, statuses(200), { ...collector, ...options })
  const to = destinationOf(`https://${host}:${collecting.port}`, paths)
  const poster = openPoster(to)
  const answer = await poster.post(BODY, new AbortController().signal)
  poster.close()
  return { ...collecting, to, answer }
}

test('sends to a collector whose certificate the configured authority signed', async (t) => {
  for (const host of ['127.0.0.1', 'localhost']) {
    const { answer, got } = await post(t, {}, trusted, host)
    assert.equal(answer.status, 200, answer.code)
    assert.deepEqual(got[0]!.body, BODY)
  }
})

const REFUSED: Record<string, { certificate: Certified; files: Files; code: string }> = {
  'an authority that nobody knows': {
    certificate: collector,
    files: {},
    code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  },
  'another authority of the same name': {
    certificate: createAuthority().issue('collector', '127.0.0.1'),
    files: trusted,
    code: 'CERT_SIGNATURE_FAILURE',
  },
  'the name of another host': {
    certificate: authority.issue('127.0.0.1', 'usage.example.org', '127.0.0.2'),
    files: trusted,
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
  'a signature of its own': {
    certificate: createAuthority('127.0.0.1'),
    files: trusted,
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  },
}
for (const [name, { certificate, files, code }] of Object.entries(REFUSED)) {
  test(`a certificate with ${name} gets nothing, even if the environment skips checks`, async (t) => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    t.after(() => {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    })
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    const { answer, got } = await post(t, certificate, files)
    assert.deepEqual([answer.status, answer.code], [0, code])
    assert.deepEqual(got, [])
  })
}

test('the configured authority replaces those of the system', async (t) => {
  const system = join(await temporaryFolder(t), 'ca-certificates.crt')
  await writeFile(system, `# bundle\n${createAuthority('Some').cert}\n${authority.cert}`)
  SYSTEM_CERTIFICATES.unshift(system)
  t.after(() => SYSTEM_CERTIFICATES.shift())
  assert.equal((await post(t, {}, {})).answer.status, 200)
  const { answer } = await post(t, {}, { caFile: createAuthority('Another').cert })
  assert.deepEqual([answer.status, answer.code], [0, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'])
})

test('trusts the certificates of Node if the system has none', async (t) => {
  const kept = SYSTEM_CERTIFICATES.splice(0)
  const built = tls.getCACertificates('default')
  t.after(() => {
    SYSTEM_CERTIFICATES.push(...kept)
    tls.setDefaultCACertificates(built)
  })
  tls.setDefaultCACertificates([authority.cert])
  assert.equal((await post(t, {}, {})).answer.status, 200)
})

test('uses replaced certificates and keys from the next drain on', async (t) => {
  const clients = createAuthority('Clients')
  const [first, second] = [clients.issue('first'), clients.issue('second')]
  const folder = await temporaryFolder(t)
  const paths = {
    caFile: join(folder, 'ca'),
    clientCertFile: join(folder, 'cert'),
    clientKeyFile: join(folder, 'key'),
  }
  const place = async (ca: string, { cert, key }: Certified): Promise<void> => {
    await Promise.all([
      writeFile(paths.caFile, ca),
      writeFile(paths.clientCertFile, cert),
      writeFile(paths.clientKeyFile, key),
    ])
  }
  const names: string[] = []
  const other = createAuthority('Another')
  const options = { ...collector, requestCert: true, rejectUnauthorized: true, ca: clients.cert }
  const { port, server } = await startTestCollector(t, statuses(200), options)
  server.on(
    'secureConnection',
    (socket: TLSSocket) => void names.push(String(socket.getPeerCertificate().subject.CN)),
  )
  const to = destinationOf(`https://127.0.0.1:${port}`, paths)
  const drain = async (): Promise<number> => {
    const poster = openPoster(to)
    const { status } = await poster.post(BODY, new AbortController().signal)
    poster.close()
    return status
  }
  await place(authority.cert, first)
  assert.equal(await drain(), 200)
  await place(authority.cert, second)
  assert.equal(await drain(), 200)
  assert.deepEqual(names, ['first', 'second'])
  await place(other.cert, second)
  assert.equal(await drain(), 0, 'a removed authority is not trusted any more')
  // During a rotation, with one of the two files replaced: no request, and no crash.
  await place(authority.cert, { cert: first.cert, key: second.key })
  assert.equal(await drain(), 0)
  await place(authority.cert, first)
  assert.equal(await drain(), 200)
  await writeFile(paths.caFile, '')
  assert.equal(await drain(), 0, 'an empty file trusts nobody')
})

test('refuses TLS below 1.2, also where Node is told to accept it', async (t) => {
  const { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS } = tls
  t.after(() => Object.assign(tls, { DEFAULT_MIN_VERSION, DEFAULT_CIPHERS }))
  // As with --tls-min-v1.0 and --tls-cipher-list, which NODE_OPTIONS can hold.
  Object.assign(tls, { DEFAULT_MIN_VERSION: 'TLSv1', DEFAULT_CIPHERS: 'DEFAULT:@SECLEVEL=0' })
  const old = await post(t, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })
  assert.deepEqual([old.answer.status, old.answer.code], [0, 'EPROTO'])
  assert.deepEqual(old.got, [])
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    assert.equal(
      (await post(t, { minVersion: version, maxVersion: version })).answer.status,
      200,
      version,
    )
})

test('gives the client certificate to a collector that asks, if there is one', async (t) => {
  const clients = createAuthority('Clients')
  const { cert, key } = clients.issue('sidecar')
  const options: ServerOptions = { requestCert: true, rejectUnauthorized: true, ca: clients.cert }
  const { answer, got } = await post(t, options, {
    ...trusted,
    clientCertFile: cert,
    clientKeyFile: key,
  })
  assert.equal(answer.status, 200, answer.code)
  assert.equal(got.length, 1)
  const without = await post(t, options)
  assert.equal(without.answer.status, 0)
  assert.deepEqual(without.got, [])
})

test('no connection resumes the session of an earlier one', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { server, answer, to } = await post(t, { minVersion: version, maxVersion: version })
    assert.equal(answer.status, 200)
    const resumed: boolean[] = []
    server.on('secureConnection', (socket: TLSSocket) => resumed.push(socket.isSessionReused()))
    server.maxRequestsPerSocket = 1
    for (let drain = 0; drain < 2; drain++) {
      const poster = openPoster(to)
      for (let i = 0; i < 2; i++)
        assert.equal((await poster.post(BODY, new AbortController().signal)).status, 200)
      poster.close()
    }
    assert.deepEqual(resumed, [false, false, false, false], version)
  }
})

/** Session id and extensions, by number, of a client hello (RFC 8446 4.1.2). */
function helloIn(bytes: Buffer): { session: string; extensions: Map<number, Buffer> } {
  // After the headers of record and message, the version and the random bytes.
  let at = 5 + 4 + 2 + 32
  const list = (lengthBytes: number): Buffer => {
    const length = bytes.readUIntBE(at, lengthBytes)
    at += lengthBytes + length
    return bytes.subarray(at - length, at)
  }
  const session = list(1).toString('hex')
  list(2)
  list(1)
  const end = at + 2 + bytes.readUInt16BE(at)
  at += 2
  const extensions = new Map<number, Buffer>()
  while (at < end) {
    const type = bytes.readUInt16BE(at)
    at += 2
    extensions.set(type, list(2))
  }
  return { session, extensions }
}

test('no client hello holds a key or a ticket of an earlier one', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { port, to } = await post(t, { minVersion: version, maxVersion: version })
    const hellos: Buffer[] = []
    const relay = createServer((client) => {
      const behind = connect(port, '127.0.0.1')
      client.once('data', (first: Buffer) => {
        hellos.push(first)
        behind.write(first)
        client.pipe(behind).pipe(client)
      })
      for (const socket of [client, behind]) socket.on('error', () => undefined)
    })
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
    t.after(() => relay.close())
    const { port: at } = relay.address() as { port: number }
    for (let drain = 0; drain < 3; drain++) {
      const poster = openPoster({ ...to, endpoint: `https://127.0.0.1:${at}` })
      assert.equal((await poster.post(BODY, new AbortController().signal)).status, 200)
      poster.close()
    }
    const read = hellos.map(helloIn)
    assert.equal(read.length, 3)
    for (const { extensions } of read) {
      assert.ok(extensions.has(10), 'it was read')
      assert.ok(!extensions.has(41), 'pre_shared_key')
      assert.equal(extensions.get(35)?.length ?? 0, 0, 'session_ticket')
    }
    const sessions = read.map(({ session }) => session).filter((session) => session !== '')
    assert.equal(new Set(sessions).size, sessions.length)
  }
})
