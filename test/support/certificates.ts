// X.509 certificates for the tests of TLS, valid around the moment of the test. Node signs but
// writes no certificates, and openssl is not on every machine: this is the little DER (X.690) that
// RFC 5280 needs for them.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

const DAY_MS = 86_400_000
const ECDSA_WITH_SHA256 = '1.2.840.10045.4.3.2'
const COMMON_NAME = '2.5.4.3'
const SUBJECT_ALT_NAME = '2.5.29.17'
const BASIC_CONSTRAINTS = '2.5.29.19'
const TRUE = Buffer.from('0101ff', 'hex')

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const digits = content.length < 0x100 ? 1 : 2
  const length = Buffer.alloc(content.length < 0x80 ? 1 : 1 + digits)
  if (content.length < 0x80) length[0] = content.length
  else {
    length[0] = 0x80 | digits
    length.writeUIntBE(content.length, 1, digits)
  }
  return Buffer.concat([Buffer.of(tag), length, content])
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts)
const bits = (bytes: Uint8Array): Buffer => der(0x03, Buffer.of(0), bytes)
/** Not negative and without needless zeros, as DER wants it. */
const positive = (bytes: Buffer): Buffer =>
  der(0x02, Buffer.of(0x40 | (bytes[0]! & 0x3f)), bytes.subarray(1))
const name = (text: string): Buffer =>
  sequence(der(0x31, sequence(oid(COMMON_NAME), der(0x0c, Buffer.from(text)))))
const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [TRUE] : []), der(0x04, value))
/** YYYYMMDDHHMMSSZ */
const time = (ms: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]|\.\d+Z/g, '')}Z`))

function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number)
  const arcs = [40 * first! + second!, ...rest]
  return der(
    0x06,
    ...arcs.map((arc) =>
      Buffer.from(
        arc < 128
          ? [arc]
          : arc < 16_384
            ? [0x80 | (arc >> 7), arc & 127]
            : [0x80 | (arc >> 14), 0x80 | ((arc >> 7) & 127), arc & 127],
      ),
    ),
  )
}

const pem = (certificate: Buffer): string =>
  `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`

export interface Certified {
  cert: string
  key: string
}

export interface Authority extends Certified {
  /** A certificate for these host names and IPv4 addresses; a client's needs none. */
  issue(subject: string, ...hosts: string[]): Certified
}

/** A new certificate authority that nobody knows. */
export function createAuthority(subject = 'Test authority'): Authority {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const isAuthority = extension(BASIC_CONSTRAINTS, true, sequence(TRUE))
  const issue = (of: string, ...hosts: string[]): Certified => {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    // GeneralName: dNSName is [2], iPAddress [7].
    const names = hosts.map((host) =>
      isIPv4(host)
        ? der(0x87, Buffer.from(host.split('.').map(Number)))
        : der(0x82, Buffer.from(host)),
    )
    const extensions =
      hosts.length === 0 ? [] : [extension(SUBJECT_ALT_NAME, false, sequence(...names))]
    return {
      cert: certificate(of, pair.publicKey, subject, privateKey, extensions),
      key: exported(pair.privateKey),
    }
  }
  return {
    cert: certificate(subject, publicKey, subject, privateKey, [isAuthority]),
    key: exported(privateKey),
    issue,
  }
}

const exported = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }))

function certificate(
  subject: string,
  key: KeyObject,
  issuer: string,
  issuerKey: KeyObject,
  extensions: readonly Buffer[],
): string {
  const algorithm = sequence(oid(ECDSA_WITH_SHA256))
  const now = Date.now()
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    positive(randomBytes(16)),
    algorithm,
    name(issuer),
    sequence(time(now - DAY_MS), time(now + DAY_MS)),
    name(subject),
    key.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, sequence(...extensions))]),
  )
  return pem(sequence(toBeSigned, algorithm, bits(sign('sha256', toBeSigned, issuerKey))))
}
