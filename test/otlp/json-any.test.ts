// No bytes whatever give anything but a request or a refusal, and every sound request arrives as it
// was said.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { decodeRequest } from '../../src/otlp/decode.ts'
import { Counters } from '../../src/support/counters.ts'
import { Refusal } from '../../src/support/errors.ts'
import { requestArbitrary } from '../support/otlp-json-arbitrary.ts'
import { convert, inSpan, POLICY } from '../support/otlp-json-pieces.ts'

/** A request, or a refusal with 400: anything else fails the test. */
function sound(bytes: Uint8Array): boolean {
  try {
    const protobuf = convert(bytes)
    assertPasses(protobuf)
    return true
  } catch (error) {
    if (error instanceof Refusal && error.status === 400) return false
    throw error
  }
}

const anyPass = createAnonymizer({
  policy: POLICY,
  facts: new Map(),
  secret: undefined,
  counters: new Counters(),
  maxBytes: 2 ** 24,
})
/** The frame that comes out is always one that the pass can read. */
function assertPasses(protobuf: Uint8Array): void {
  try {
    anyPass.pass(protobuf, 0)
  } catch (error) {
    assert.fail(`the pass refuses what came out: ${String(error)}`)
  }
}

describe('any request', () => {
  it('arrives as it was said, in whichever way', () => {
    fc.assert(
      fc.property(requestArbitrary, ({ value, json }) => {
        assert.deepEqual(decodeRequest(convert(json)), value)
      }),
      { numRuns: 600 },
    )
  })

  it('is refused where it is cut off, at every byte', () => {
    const json = Buffer.from(
      inSpan(
        '"attributes":[{"k\\u0065y":"k\\ud83d\\ude00","value":{"arrayValue":{"values":[{"intValue":"1"},{"doubleValue":-1.5e+3},{"boolValue":true},{"bytesValue":"AA=="},null]}}}],"status":{},"x":[{"y":null}]',
      ),
    )
    assert.equal(sound(json), true)
    for (let length = 0; length < json.length; length++)
      assert.equal(sound(json.subarray(0, length)), false, String(length))
  })

  it('gives a request or a refusal, whatever bytes are changed in it', () => {
    const edit = fc.record({
      at: fc.nat(),
      byte: fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(...Buffer.from('{}[]",:\\u0e-+.ntf '))),
      how: fc.constantFrom('set', 'insert', 'delete', 'double'),
    })
    let [kept, refused] = [0, 0]
    fc.assert(
      fc.property(
        requestArbitrary,
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        ({ json }, edits) => {
          let bytes = [...Buffer.from(json)]
          for (const { at, byte, how } of edits) {
            const index = at % (bytes.length + 1)
            if (how === 'set') bytes[index] = byte
            else if (how === 'double')
              bytes = [...bytes.slice(0, index), ...bytes.slice(Math.max(0, index - 30))]
            else bytes.splice(index, how === 'delete' ? 1 : 0, ...(how === 'delete' ? [] : [byte]))
          }
          if (sound(Uint8Array.from(bytes))) kept++
          else refused++
        },
      ),
      { numRuns: 4000 },
    )
    assert.ok(kept > 100 && refused > 100, `${kept} kept, ${refused} refused`)
  })

  it('is JSON exactly where JSON.parse says so', () => {
    const pieces = [
      '{',
      '}',
      '[',
      ']',
      '"a"',
      ':',
      ',',
      '1',
      '-0.5e3',
      '01',
      'null',
      'true',
      ' ',
      '"\\n"',
      '"\\q"',
      '1.',
      'tru',
      '\u00a0',
      '"\u0001"',
    ]
    const wrapped = fc
      .array(fc.constantFrom(...pieces), { maxLength: 7 })
      .map((parts) => `{"a":${parts.join('')}}`)
    const json = fc.oneof(
      wrapped,
      fc.json({ maxDepth: 5 }).map((inner) => `{"a":${inner}}`),
    )
    fc.assert(
      fc.property(json, (one) => {
        let isJson = true
        try {
          JSON.parse(one)
        } catch {
          isJson = false
        }
        assert.equal(sound(Buffer.from(one)), isJson)
      }),
      { numRuns: 5000 },
    )
  })
})
