// Errors that may be logged and answered: a code is a code, whatever an error of a library says of
// itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCode } from '../../src/support/errors.ts'

test('the code of an error is the code of a system error, never a text', () => {
  for (const code of ['ENOENT', 'ERR_TLS_CERT_ALTNAME_INVALID', 'HPE_INVALID_CONSTANT', 'E2BIG'])
    assert.equal(errorCode(Object.assign(new Error('CANARY'), { code })), code)
  for (const code of [
    undefined,
    5,
    '',
    'E',
    'CANARY secret',
    'secret',
    'ENOENT: CANARY',
    `E${'X'.repeat(60)}`,
    '2BIG',
    'E\nX',
  ])
    assert.equal(errorCode(Object.assign(new Error('CANARY'), { code })), 'UNKNOWN', String(code))
  for (const thrown of [undefined, null, 'CANARY', 7, {}])
    assert.equal(errorCode(thrown), 'UNKNOWN')
})
