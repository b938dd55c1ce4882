// Policies with every action, step and source, and a request with a secret in every place, read by
// the policy or not.

import { policyText } from '../support/spans.ts'
import type { Entry, Value } from './canary-message.ts'
import type { CanaryRequests } from './canary-request.ts'

const RESOURCE =
  'app.version: {from: "fact:app.version", version: core, reason: A test.}\napp.place: {from: "fact:app.place", pseudonym: day, reason: A test.}'

/** Fields that any policy may have. */
export const CANARY_POLICY = `limits: {recordBits: 500, stableBits: 500}\n${policyText(
  `execution:
  ids: linked
  time: minute
  status: keep
  attributes:
    word: {keep: [pipeline], fold: lower, reason: A test.}
    words: {split: ",", keep: [aws], reason: A test.}
    number: {keep: [1, 2], reason: A test.}
    flag: {keep: [false], reason: A test.}
    size: {buckets: [0, 10], reason: A test.}
    seconds: {from: "span:duration", buckets: [0, 10], reason: A test.}
    release: {version: core, reason: A test.}
    owner: {pseudonym: day, reason: A test.}
    team: {from: owner, pseudonym: month, reason: A test.}
    place: {from: "fact:app.place", or: word, keep: [here], reason: A test.}
    service: {from: "resource:service.name", keep: [web], reason: A test.}
    region: {from: "resource:cloud.region", pseudonym: day, reason: A test.}
    joined: {from: [owner, "text:-", "resource:service.name", "fact:app.place"], pseudonym: day, reason: A test.}
    words.joined: {from: [word, release], keep: [pipeline1], else: none, reason: A test.}
    zone: {before: "/", keep: [a], reason: A test.}
    image: {after: ":", version: minor, reason: A test.}
    machine: {shape: [uuid, dns-label], pseudonym: day, reason: A test.}
stage:
  skip: [synthetic]
  attributes:
    word: {keep: [pipeline], reason: A test.}`,
  RESOURCE,
)}`
const LISTED = [
  'word',
  'words',
  'number',
  'flag',
  'size',
  'release',
  'owner',
  'zone',
  'image',
  'machine',
]
const LISTED_RESOURCE = ['service.name', 'cloud.region']

/**
 * Fields that only a compat policy may have. They send digests and values unchanged. So secrets in
 * the attributes that they read have a form that they reject: too long, of another kind, without a
 * version or a shape, or under a key.
 */
export const CANARY_COMPAT_POLICY = `compat: true\nlimits: none\n${policyText(
  `execution:
  ids: linked
  time: day
  status: keep
  attributes:
    word: {exact: text, max: 20, reason: A test.}
    words: {split: ",", exact: text, max: 20, reason: A test.}
    number: {from: mail, exact: number, reason: A test.}
    flag: {exact: version, reason: A test.}
    size: {from: "resource:service.name", exact: version, max: 256, reason: A test.}
    release: {after: "/", exact: version, max: 256, reason: A test.}
    owner: {from: "text:owner", hmac: sha256, key: owner, reason: A test.}
    team: {from: owner, pseudonym: forever, reason: A test.}
    place: {from: owner, hmac: sha256, key: "fact:app.missing", reason: A test.}
    joined: {from: [owner, "fact:instance.id"], hash: sha256, reason: A test.}
    joined.old: {from: ["text:a", owner, "resource:cloud.region"], hash: md5, reason: A test.}
    zone: {before: "/", exact: text, max: 20, reason: A test.}
    machine: {after: "/", shape: ec2-instance, exact: text, reason: A test.}
stage:
  skip: [synthetic]
  attributes:
    word: {from: word, exact: text, max: 20, reason: A test.}`,
  RESOURCE,
)}`

/** One request with a secret everywhere, and the number of spans that the policies make of it. */
export function wholeRequest(requests: CanaryRequests): { message: Entry[]; spans: number } {
  const spanOf = (name: Value | undefined, attributes?: Value[]): Value => ({
    message: requests.message('Span', {
      ...(name === undefined ? {} : { 'Span.name': [name] }),
      ...(attributes === undefined
        ? {}
        : { 'Span.attributes': attributes, 'Span.events': [], 'Span.links': [] }),
    }),
  })
  const [execution, stage] = [{ text: 'execution' }, { text: 'stage' }]
  const full = [spanOf(execution), spanOf(stage)]
  const listed = requests.kinds.map((kind) =>
    spanOf(
      execution,
      LISTED.map((key) => requests.keyValue(key, kind)),
    ),
  )
  // Secrets beside listed values.
  const text = (key: string, before: string): Value => requests.textAttribute(key, before)
  const mixed = spanOf(execution, [
    text('word', 'pipeline '),
    text('words', 'aws,'),
    text('release', 'v1.2.3-'),
    text('owner', ''),
    text('size', '7'),
    text('zone', 'b/'),
    text('image', 'nginx:1.2.'),
    text('machine', ''),
    text('mail', ''),
  ])
  const left = [
    spanOf(undefined, []),
    spanOf(stage, [requests.keyValue('synthetic', 'string_value')]),
  ]
  const unlisted = (): Value[] => requests.kinds.map((kind) => requests.keyValue(undefined, kind))
  const ours = requests.message('ResourceSpans', {
    'Resource.attributes': [...unlisted(), ...LISTED_RESOURCE.map((key) => text(key, ''))],
    'ScopeSpans.spans': [...full, ...listed, mixed, ...left],
  })
  // The resource's listed attributes in each kind.
  const kinds = requests.kinds.map((kind) => ({
    message: requests.message('ResourceSpans', {
      'Resource.attributes': LISTED_RESOURCE.map((key) => requests.keyValue(key, kind)),
      'ScopeSpans.spans': [spanOf(execution, [text('owner', 'o ')])],
    }),
  }))
  // Only the span name of this one is listed.
  const strange = requests.message('ResourceSpans', { 'Span.name': [execution] })
  const resourceSpans = [{ message: strange }, { message: ours }, ...kinds]
  const message = requests.message('ExportTraceServiceRequest', {
    'ExportTraceServiceRequest.resource_spans': resourceSpans,
  })
  // The policy makes one span for each word of `mixed`.
  return { message, spans: 1 + full.length + listed.length + 2 + kinds.length }
}
