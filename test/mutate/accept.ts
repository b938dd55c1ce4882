// Guards of the door in: limits before and after inflation, one budget over all requests, honest
// answers.
import type { GuardTable, Witness } from './guard.ts'

const answers = (name: string): Witness => ({ test: 'test/accept/accept.test.ts', name })
const inflation = (name: string): Witness => ({ test: 'test/accept/inflate.test.ts', name })
const limits = (name: string): Witness => ({ test: 'test/accept/limits.test.ts', name })

const refused = answers('^what is refused is answered')
const exact = limits('^a body of exactly')
const forms = answers('^gzip, chunks and parameters')
const late = limits('^a body that is not there in time')

export const accept: GuardTable = {
  'src/support/errors.ts': [
    {
      promise: 'a fault of ours is told by a place behind the text of the error',
      text: 'stack.slice(stack.indexOf(message) + message.length)',
      instead: 'stack',
      noticed: answers('^a fault of ours is told'),
    },
  ],
  'src/accept/budget.ts': [
    {
      promise: 'all requests together hold no more than the budget',
      text: "if (budget.used + bytes > budget.max) return retryLater('Too many bytes are being received at once. Send the same request later.', 1)\n",
      noticed: limits('^what a share took'),
    },
    {
      promise: 'what could never fit is answered for good',
      text: 'if (this.#taken + bytes > budget.max)',
      instead: 'if (bytes > 2 ** 52)',
      noticed: limits('^a body that the budget could never'),
    },
    {
      promise: 'a body that does not come gives way',
      text: 'if (budget.used + bytes > budget.max) budget.makeRoom(bytes, this)\n',
      noticed: limits('^a body that does not come'),
    },
    {
      promise: 'a body has time to come',
      text: 'share.since > before || ',
      noticed: limits('^a body that does not come'),
    },
    {
      promise: 'no more give way than must',
      text: ' || this.used + bytes <= this.max',
      noticed: limits('^a body that does not come'),
    },
    {
      promise: 'who asks does not give way to itself',
      text: 'if (share !== except) share',
      instead: 'share',
      noticed: limits('^a body that does not come'),
    },
    {
      promise: 'who gives way has given back',
      text: '1))\n    this.release()\n',
      instead: '1))\n',
      noticed: limits('^a body that does not come'),
    },
    {
      promise: 'a body that is there stays',
      text: 'this.#budget.reading.delete(this)\n',
      noticed: limits('^a body that does not come'),
    },
    {
      promise: 'what is taken counts',
      text: 'budget.used += bytes\n',
      noticed: limits('^what a share took'),
    },
    {
      promise: 'what was taken is given back',
      text: 'this.#budget.used -= this.#taken\n',
      noticed: limits('^what a share took'),
    },
    {
      promise: 'what was taken is given back once',
      text: '    this.#taken = 0\n',
      noticed: limits('^what a share took'),
    },
    {
      promise: 'a share counts all that it took',
      text: 'this.#taken += bytes\n',
      noticed: limits('^what a share took'),
    },
  ],
  'src/accept/body.ts': [
    {
      promise: 'a body that is announced as too large is not read',
      text: 'if (announced !== undefined && announced > maxBytes) refuse(tooLarge(maxBytes))\n    else {',
      instead: '{',
      noticed: limits('^a body announced as too large'),
    },
    {
      promise: 'a body that grows too large is refused',
      text: '> maxBytes ? tooLarge(maxBytes) : blocks',
      instead: '> maxBytes ? undefined : blocks',
      noticed: exact,
    },
    {
      promise: 'a body that is being read can give way',
      text: '      share.reads(refuse)\n',
      noticed: limits('^bodies that begin and stop'),
    },
    {
      promise: 'a body in one piece takes its size of the budget',
      text: 'const refusal = this.#share.take(chunk.length)\n      if (refusal !== undefined) return refusal\n',
      noticed: limits('^a body that the budget could never'),
    },
    {
      promise: 'a block takes its size of the budget',
      text: 'const refusal = this.#share.take(size)\n        if (refusal !== undefined) return refusal\n',
      noticed: limits('^a body sent byte by byte'),
    },
    {
      promise: 'a block is never larger than what has arrived asks for',
      text: 'Math.min(block === undefined ? FIRST_BLOCK : BLOCK, this.#maxBytes - this.length)',
      instead: 'this.#maxBytes - this.length',
      noticed: limits('^a body announced as large'),
    },
    {
      promise: 'a body of several blocks is joined in their order',
      text: 'at += block.copy(joined, at)',
      instead: 'block.copy(joined, at)',
      noticed: limits('^a body that grows'),
    },
    {
      promise: 'a body has a deadline',
      text: 'setTimeout(late, DEADLINE_MS)',
      instead: 'setTimeout(() => undefined, DEADLINE_MS)',
      noticed: late,
    },
    {
      promise: 'a body that breaks off is refused',
      text: "request.on('error', onBreak)\n",
      instead: "request.on('error', () => undefined)\n",
      noticed: limits('^an upload that breaks off'),
    },
    {
      promise: 'a refused body is not read on',
      text: "request.removeListener('data', onData)\n",
      noticed: limits('^clients whose bodies'),
    },
  ],
  'src/accept/inflate.ts': [
    {
      promise: 'inflation in one call stops at what it takes of the budget',
      text: 'maxOutputLength: size',
      instead: 'maxOutputLength: 2 ** 30',
      noticed: limits('^a gzip bomb'),
    },
    {
      promise: 'inflation in pieces stops at the limit',
      text: 'if (needed > maxBytes) return tooLarge(maxBytes)\n',
      noticed: limits('^a gzip bomb'),
    },
    {
      promise: 'what is inflated takes its size of the budget',
      text: 'const refused = share.take(first)\n',
      instead: 'const refused = undefined as Refusal | undefined\n',
      noticed: inflation('^what is inflated takes'),
    },
    {
      promise: 'a gzip stream that says too little is inflated all the same',
      text: "if (errorCode(error) !== 'ERR_BUFFER_TOO_LARGE') throw",
      instead: 'throw',
      noticed: inflation('^a stream of several members'),
    },
    {
      promise: 'a small gzip stream that is broken is a mistake of the client',
      text: 'throw broken(body)',
      instead: 'throw error',
      noticed: limits('^a gzip stream that is cut off'),
    },
    {
      promise: 'a large gzip stream that is broken is a mistake of the client',
      text: 'fail(broken(body))',
      instead: 'fail(tooLarge(maxBytes))',
      noticed: limits('^a gzip stream that is cut off'),
    },
  ],
  'src/accept/accept.ts': [
    {
      promise: 'JSON has a limit of its own',
      text: "encoding === 'json' ? options.maxJsonBody : options.maxBody",
      instead: 'options.maxBody',
      noticed: exact,
    },
    {
      promise: 'the protobuf of JSON takes its size of the budget',
      text: 'const refusal = share.take(body.length)\n    if (refusal !== undefined) throw refusal\n',
      noticed: limits('^a body that the budget could never'),
    },
    {
      promise: 'the protobuf of JSON is bounded',
      text: 'jsonToProtobuf(body, options.maxBody)',
      instead: 'jsonToProtobuf(body)',
      noticed: limits('^the protobuf of JSON'),
    },
    {
      promise: 'whatever becomes of a request, its share goes back',
      text: 'share.release()\n',
      noticed: answers('^a refused request leaves nothing'),
    },
    {
      promise: 'a wrong path is answered 404',
      text: 'if (path !== PATH && !DISCARDED.includes(path)) throw',
      instead: "if (path === '') throw",
      noticed: refused,
    },
    {
      promise: 'a query is no part of the path',
      text: "request.url?.split('?', 1)[0]",
      instead: 'request.url',
      noticed: forms,
    },
    {
      promise: 'a wrong method is answered 405',
      text: "if (request.method !== 'POST') throw new Refusal(405, 'Send traces with POST.')\n",
      noticed: refused,
    },
    {
      promise: '405 says which method',
      text: "if (refusal.status === 405) headers.allow = 'POST'\n",
      noticed: refused,
    },
    {
      promise: 'an unknown encoding is answered 415',
      text: "if (encoding === undefined) throw new Refusal(415, 'Send Content-Type application/x-protobuf or application/json.')\n",
      noticed: answers('^a request of no known encoding'),
    },
    {
      promise: 'an unknown coding is answered 415',
      text: "throw new Refusal(415, 'Send Content-Encoding gzip, or none.')",
      instead: 'return false',
      noticed: refused,
    },
    { promise: 'gzip is inflated by either name', text: " || coding === 'x-gzip'", noticed: forms },
    { promise: 'identity is no coding', text: " || coding === 'identity'", noticed: forms },
    {
      promise: 'parameters of Content-Type change nothing',
      text: "type?.split(';', 1)[0]?.trim().toLowerCase()",
      instead: 'type',
      noticed: forms,
    },
    {
      promise: 'an answer is in the encoding of its request',
      text: "statusBody(encoding ?? 'json',",
      instead: "statusBody('json',",
      noticed: refused,
    },
    {
      promise: 'an answer says its encoding',
      text: "'content-type': CONTENT_TYPES[encoding], ",
      noticed: refused,
    },
    {
      promise: 'an answer has the code of its status',
      text: 'RPC_CODES[refusal.status] ?? 13',
      instead: '13',
      noticed: refused,
    },
    {
      promise: 'a refusal that may be tried again says when',
      text: "if (refusal.retryAfterSeconds !== undefined) headers['retry-after'] = String(refusal.retryAfterSeconds)\n",
      noticed: refused,
    },
    {
      promise: 'a slow body does not keep its connection',
      text: 'refusal.status === 408 || call.waits',
      instead: 'call.waits',
      noticed: late,
    },
    {
      promise: 'a fault of ours is answered without the text of the error',
      text: 'error instanceof Refusal ? error : bug(error, log)',
      instead: 'error instanceof Refusal ? error : new Refusal(500, String(error))',
      noticed: answers('^a fault of ours is told'),
    },
    {
      promise: 'accepted requests are counted',
      text: "counters.add('requests.accepted')\n",
      noticed: answers('^a request is handed on'),
    },
    {
      promise: 'refused requests are counted by their status',
      text: 'counters.add(`requests.refused.',
      instead: 'counters.get(`requests.refused.',
      noticed: refused,
    },
    {
      promise: 'a door that closes ends the connections that clients would keep',
      text: "server.listening ? {} : { connection: 'close' }",
      instead: '{}',
      noticed: limits('^a door that closes answers'),
    },
  ],
  'src/net/listen.ts': [
    {
      promise: 'a door that closes waits for nobody for ever',
      text: 'setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)',
      instead: 'setTimeout(() => undefined, CLOSE_GRACE_MS)',
      noticed: limits('^a door that closes does not wait'),
    },
    {
      promise: 'a port that is taken is told',
      text: "server.once('error', reject)\n",
      instead: "server.once('error', () => resolve(at))\n",
      noticed: answers('^a port that is taken'),
    },
  ],
}
