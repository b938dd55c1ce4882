// Facts that are given and those that the process knows: what counts as one, and that no error
// repeats a value.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allFacts, parseFacts } from '../../src/enrich/facts.ts'
import { ConfigError } from '../../src/support/errors.ts'

const parsed = (json: string): unknown => Object.fromEntries(parseFacts(json, 'USAGE_FACTS'))

function errorsOf(json: string): readonly string[] {
  try {
    parseFacts(json, 'USAGE_FACTS')
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.errors
  }
  return []
}

test('facts are texts, numbers, true and false by name', () => {
  assert.deepEqual(parsed('{}'), {})
  assert.deepEqual(
    parsed(
      '{"app.version": "1.32.0", "k8s.nodes": 12, "a": -0.5, "App_X-1": true, "b.c": false, "e": ""}',
    ),
    {
      'app.version': '1.32.0',
      'k8s.nodes': 12,
      a: -0.5,
      'App_X-1': true,
      'b.c': false,
      e: '',
    },
  )
})

test('of two facts with one name the last one counts', () => {
  assert.deepEqual(parsed('{"a": 1, "a": 2}'), { a: 2 })
})

test('what is no object of facts is told by where it is, and nothing of it is repeated', () => {
  for (const json of ['', 'CANARY', '{"CANARY"', '{"a": CANARY}', '{a: 1}'])
    assert.deepEqual(
      errorsOf(json),
      ['USAGE_FACTS is not JSON. Give one object, such as {"app.version": "1.32.0"}.'],
      json,
    )
  for (const json of ['null', '[]', '["CANARY"]', '"CANARY"', '1', 'true'])
    assert.deepEqual(errorsOf(json), ['USAGE_FACTS is not a JSON object of facts by name.'], json)
})

test('every wrong fact is told at once, by its number', () => {
  const name = 'its name is not letters, digits, dots, dashes and underscores.'
  const value = 'its value is not a text of at most 1024 bytes, a number, true or false.'
  const facts = {
    good: 1,
    '': 1,
    '1CANARY': 1,
    'CAN ARY': 1,
    CANÄRY: 1,
    ['C'.repeat(129)]: 1,
    'instance.id': 'CANARY',
    n: null,
    l: ['CANARY'],
    o: { CANARY: 1 },
    t: 'ü'.repeat(513),
  }
  const errors = errorsOf(JSON.stringify(facts))
  assert.deepEqual(errors, [
    ...[2, 3, 4, 5, 6].map((number) => `USAGE_FACTS, fact ${number}: ${name}`),
    'USAGE_FACTS, fact 7: instance.id is made by the sidecar and cannot be given.',
    ...[8, 9, 10, 11].map((number) => `USAGE_FACTS, fact ${number}: ${value}`),
  ])
  assert.deepEqual(errorsOf('{"__proto__": 1}').length, 1)
})

test('a text of 1024 bytes, a name of 128 letters and a thousand facts are the most', () => {
  assert.equal(errorsOf(JSON.stringify({ a: 'ü'.repeat(512), ['C'.repeat(128)]: 1 })).length, 0)
  const many = (count: number): string =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i])))
  assert.equal(errorsOf(many(1000)).length, 0)
  assert.deepEqual(errorsOf(many(1001)), ['USAGE_FACTS has more than 1000 facts.'])
  // JSON can say it, but it is no number that could be sent.
  assert.equal(errorsOf('{"a": 1e999}').length, 1)
})

test('the process knows its architecture and system by the names of Go, whatever is given', () => {
  const given = new Map([
    ['host.arch', 'given'],
    ['host.os', 'given'],
    ['app.version', '1'],
  ])
  const known = (arch: string, os: string): unknown =>
    Object.fromEntries(allFacts(given, arch, os, undefined))
  assert.deepEqual(known('x64', 'linux'), {
    'host.arch': 'amd64',
    'host.os': 'linux',
    'app.version': '1',
  })
  assert.deepEqual(known('arm64', 'darwin'), {
    'host.arch': 'arm64',
    'host.os': 'darwin',
    'app.version': '1',
  })
  assert.deepEqual(known('ia32', 'win32'), {
    'host.arch': '386',
    'host.os': 'windows',
    'app.version': '1',
  })
  assert.deepEqual(known('s390x', 'sunos'), {
    'host.arch': 's390x',
    'host.os': 'solaris',
    'app.version': '1',
  })
})

test('the id of the installation is the identity’s, and absent without one', () => {
  const given = new Map([['instance.id', 'given']])
  assert.equal(allFacts(given, 'x64', 'linux', 'own').get('instance.id'), 'own')
  assert.equal(allFacts(new Map(), 'x64', 'linux', undefined).has('instance.id'), false)
})
