// A policy with every action, and a request in which a secret stands wherever the policy looks and wherever it does not.
import type { Entry, Value } from './canary-message.ts'
import type { CanaryRequests } from './canary-request.ts'
import { policyText } from './spans.ts'

/** Every action, step and source that there is. */
export const CANARY_POLICY = policyText(
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
stage:
  skip: [synthetic]
  attributes:
    word: {keep: [pipeline], reason: A test.}`,
  'app.version: {from: "fact:app.version", version: core, reason: A test.}\napp.place: {from: "fact:app.place", pseudonym: day, reason: A test.}',
)
const LISTED = ['word', 'words', 'number', 'flag', 'size', 'release', 'owner']

/** One request with a secret everywhere, and how many spans the policy makes of it. */
export function wholeRequest(requests: CanaryRequests): { message: Entry[]; spans: number } {
  const spanOf = (name: Value | undefined, attributes?: Value[]): Value => ({
    message: requests.message('Span', {
      ...(name === undefined ? {} : { 'Span.name': [name] }),
      ...(attributes === undefined ? {} : { 'Span.attributes': attributes, 'Span.events': [], 'Span.links': [] }),
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
  // Secrets beside what is listed.
  const text = (key: string, before: string): Value => requests.textAttribute(key, before)
  const mixed = spanOf(execution, [
    text('word', 'pipeline '),
    text('words', 'aws,'),
    text('release', 'v1.2.3-'),
    text('owner', ''),
    text('size', '7'),
  ])
  const left = [spanOf(undefined, []), spanOf(stage, [requests.keyValue('synthetic', 'string_value')])]
  const ours = requests.message('ResourceSpans', {
    'ScopeSpans.spans': [...full, ...listed, mixed, ...left],
  })
  // Nothing in this one is listed but the name of its span.
  const strange = requests.message('ResourceSpans', { 'Span.name': [execution] })
  const resourceSpans = [{ message: strange }, { message: ours }]
  const message = requests.message('ExportTraceServiceRequest', { 'ExportTraceServiceRequest.resource_spans': resourceSpans })
  // Of `mixed` the policy makes one for each of its words.
  return { message, spans: 1 + full.length + listed.length + 2 }
}
