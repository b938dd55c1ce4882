// Facts from settings and from the process: which are valid, and that no error repeats a value.
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

test('accepts texts, numbers, true and false by name', () => {
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

test('uses the last of two facts with one name', () => {
  assert.deepEqual(parsed('{"a": 1, "a": 2}'), { a: 2 })
})

test('names the setting that is not an object of facts, and repeats nothing of it', () => {
  for (const json of ['', 'CANARY', '{"CANARY"', '{"a": CANARY}', '{a: 1}'])
    assert.deepEqual(
      errorsOf(json),
      ['USAGE_FACTS is not JSON. Give one object, such as {"app.version": "1.32.0"}.'],
      json,
    )
  for (const json of ['null', '[]', '["CANARY"]', '"CANARY"', '1', 'true'])
    assert.deepEqual(errorsOf(json), ['USAGE_FACTS must be a JSON object of facts by name.'], json)
})

test('reports every invalid fact at once, by its number', () => {
  const name = 'the name must be a letter, then letters, digits, dots, dashes or underscores.'
  const value = 'the value must be a text of at most 1024 bytes, a number, true or false.'
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
    'USAGE_FACTS, fact 7: remove instance.id. The sidecar sets it.',
    ...[8, 9, 10, 11].map((number) => `USAGE_FACTS, fact ${number}: ${value}`),
  ])
  assert.deepEqual(errorsOf('{"__proto__": 1}').length, 1)
})

test('accepts at most 1024 bytes of text, 128 letters of a name and 1000 facts', () => {
  assert.equal(errorsOf(JSON.stringify({ a: 'ü'.repeat(512), ['C'.repeat(128)]: 1 })).length, 0)
  const many = (count: number): string =>
    JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i])))
  assert.equal(errorsOf(many(1000)).length, 0)
  assert.deepEqual(errorsOf(many(1001)), ['USAGE_FACTS must have at most 1000 facts.'])
  // Valid JSON, but not a finite number.
  assert.equal(errorsOf('{"a": 1e999}').length, 1)
})

test('names architecture and system as Go does, whatever is given', () => {
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

test('takes the instance id from the identity only', () => {
  const given = new Map([['instance.id', 'given']])
  assert.equal(allFacts(given, 'x64', 'linux', 'own').get('instance.id'), 'own')
  assert.equal(allFacts(new Map(), 'x64', 'linux', undefined).has('instance.id'), false)
})
