// Bodies of answers, byte by byte, and what is read in those of a collector.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { rejectedSpans, statusBody, successBody } from '../../src/otlp/answer.ts'
import { lenField, varintField } from '../../src/otlp/wire.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('the answer to a request that is accepted', () => {
  it('leaves partial_success unset on full success', () => {
    assert.equal(successBody('protobuf', 0, '').length, 0)
    assert.equal(successBody('json', 0, '').toString(), '{}')
  })

  it('says how many spans are rejected, and why', () => {
    assert.deepEqual(successBody('protobuf', 3, 'no'), hex('0a 06 08 03 12 02 6e6f'))
    assert.deepEqual(successBody('protobuf', 300, 'é'), hex('0a 07 08 ac02 12 02 c3a9'))
    assert.equal(
      successBody('json', 3, 'say "no"').toString(),
      '{"partialSuccess":{"rejectedSpans":"3","errorMessage":"say \\"no\\""}}',
    )
    assert.deepEqual(successBody('protobuf', 3, ''), hex('0a 02 08 03'))
    assert.equal(successBody('json', 3, '').toString(), '{"partialSuccess":{"rejectedSpans":"3"}}')
  })

  it('warns where nothing is rejected but there is a message', () => {
    assert.deepEqual(successBody('protobuf', 0, 'no'), hex('0a 04 12 02 6e6f'))
    assert.equal(
      successBody('json', 0, 'no').toString(),
      '{"partialSuccess":{"errorMessage":"no"}}',
    )
  })
})

describe('the answer to a request that is refused', () => {
  it('is a google.rpc.Status', () => {
    assert.deepEqual(statusBody('protobuf', 8, 'bad'), hex('08 08 12 03 626164'))
    assert.equal(statusBody('json', 8, 'bad "é"').toString(), '{"code":8,"message":"bad \\"é\\""}')
    assert.deepEqual(statusBody('protobuf', 0, ''), Buffer.alloc(0))
    assert.deepEqual(
      statusBody('protobuf', 14, 'x'.repeat(200)),
      Buffer.concat([hex('08 0e 12 c801'), Buffer.from('x'.repeat(200))]),
    )
  })

  it('names what is wrong with bad data in a google.rpc.BadRequest', () => {
    // Any.type_url, and BadRequest.field_violations with a description.
    const type = Buffer.from('type.googleapis.com/google.rpc.BadRequest')
    const any = Buffer.concat([lenField(1, type), lenField(2, hex('0a 05 12 03 626164'))])
    assert.deepEqual(
      statusBody('protobuf', 3, 'bad'),
      Buffer.concat([hex('08 03 12 03 626164'), lenField(3, any)]),
    )
    const details = [{ '@type': type.toString(), fieldViolations: [{ description: 'bad' }] }]
    assert.deepEqual(JSON.parse(statusBody('json', 3, 'bad').toString()), {
      code: 3,
      message: 'bad',
      details,
    })
  })
})

describe('the rejected spans of an answer', () => {
  it('are those that it says', () => {
    for (const rejected of [0, 1, 127, 128, 70_000, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER])
      assert.equal(rejectedSpans(successBody('protobuf', rejected, 'because')), rejected)
    assert.equal(rejectedSpans(hex('12 01 00 0a 06 12 02 6e6f 08 05 18 01')), 5)
  })

  it('are the last that it says', () => {
    assert.equal(rejectedSpans(hex('0a 04 08 03 08 04')), 4)
    assert.equal(rejectedSpans(hex('0a 02 08 03 0a 02 08 05')), 5)
    assert.equal(rejectedSpans(hex('0a 02 08 03 0a 00')), 3)
  })

  it('are none where it says none, or nothing sensible', () => {
    for (const none of [
      '',
      '0a 00',
      '0a 04 12 02 6e6f',
      '12 02 08 03',
      '0a 05 08 03',
      '08 03',
      '0a 02 0a 00',
      '0a 02 08 80',
      '0d 01 02 03 04',
      '00',
      '0a',
      'ff',
      '0a 02 08 03 00',
      '0a 05 0d 03 00 00 00',
      '08 02 08 03',
    ]) {
      assert.equal(rejectedSpans(hex(none)), 0, none)
    }
    for (const count of [-1n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n])
      assert.equal(rejectedSpans(lenField(1, varintField(1, count))), 0, String(count))
    assert.equal(rejectedSpans(Buffer.from('{"partialSuccess":{"rejectedSpans":"3"}}')), 0)
    assert.equal(rejectedSpans(Buffer.from('<html>502 Bad Gateway</html>')), 0)
  })

  it('are a count, whatever the bytes are', () => {
    const near = fc
      .array(fc.constantFrom(0x0a, 0x08, 0x12, 0x02, 0x05, 0x80, 0xff, 0x7f, 0x00, 0x0b), {
        maxLength: 24,
      })
      .map((bytes) => Uint8Array.from(bytes))
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 64 })), (bytes) => {
        const count = rejectedSpans(bytes)
        assert.ok(Number.isSafeInteger(count) && count >= 0, String(count))
      }),
      { numRuns: 5000 },
    )
  })
})
