// Guards of the gRPC door: who may be connected, how many calls are open and for how long, honest
// answers.
import type { GuardTable, Witness } from './guard.ts'

const answers = (name: string): Witness => ({ test: 'test/accept/grpc.test.ts', name })
const hostile = (name: string): Witness => ({ test: 'test/accept/grpc-hostile.test.ts', name })

const refused = hostile('^a call that is refused')
const endless = hostile('^metrics and logs without an end')
const other = hostile('^other protocols')

export const acceptGrpc: GuardTable = {
  'src/accept/body.ts': [
    {
      promise: 'a body whose stream closes is not waited for',
      text: "if (announced === undefined) request.on('close', onBreak)\n",
      noticed: { test: 'test/accept/limits.test.ts', name: '^a body whose stream closes' },
    },
  ],
  'src/accept/grpc-listen.ts': [
    {
      promise: 'connections that say nothing keep nobody out',
      text: 'if (!crowd.enter(socket)) return\n',
      noticed: hostile('^connections that say nothing'),
    },
    {
      promise: 'a stop does not wait for who says nothing',
      text: 'for (const socket of silent) socket.destroy()\n',
      noticed: hostile('^connections that say nothing'),
    },
    {
      promise: 'other protocols are told',
      text: 'answerUnparsed(socket, OTHER_PORT)',
      instead: 'socket.destroy()',
      noticed: other,
    },
    {
      promise: 'a preface may come in pieces',
      text: 'first.equals(PREFACE.subarray(0, first.length)) || ',
      noticed: hostile('^a preface that comes'),
    },
    {
      promise: 'HTTP/2 gets what was read of it',
      text: 'socket.unshift(first)\n',
      noticed: answers('^answers an empty message'),
    },
  ],
  'src/accept/grpc.ts': [
    {
      promise: 'a call that was reset is not answered',
      text: 'stream.destroyed || stream.closed || stream.headersSent',
      instead: 'stream.destroyed || stream.headersSent',
      noticed: hostile('^a client that resets its call'),
    },
    {
      promise: 'a client that went is not waited for',
      text: "    session.once('goaway', () => setTimeout(() => session.destroy(), CLOSE_GRACE_MS).unref())\n",
      noticed: hostile('^a client that says GOAWAY'),
    },
    {
      promise: 'few calls are open over all connections',
      text: 'if (calls > MAX_CALLS && !crowd.dismiss(socket)) throw',
      instead: 'if (calls > 1e9) throw',
      noticed: hostile('^calls that never come'),
    },
    {
      promise: 'calls that ended do not count',
      text: "stream.once('close', () => calls--)\n",
      noticed: answers('^serves many calls, one after'),
    },
    {
      promise: 'an answer that nobody takes ends',
      text: '  endWithin(stream, ANSWER_MS)\n',
      noticed: hostile('^an answer that nobody takes'),
    },
    {
      promise: 'a refused call is told to stop',
      text: '  endWithin(stream, REFUSED_MS, constants.NGHTTP2_NO_ERROR)\n',
      noticed: refused,
    },
    {
      promise: 'the answer of a refused call counts',
      text: ', constants.NGHTTP2_NO_ERROR)\n',
      instead: ')\n',
      noticed: refused,
    },
    {
      promise: 'what a refused call still sends is thrown away',
      text: "if (stream.listenerCount('data') === 0) drain(stream)\n",
      noticed: refused,
    },
    {
      promise: 'who still reads a late call goes on alone',
      text: "if (stream.listenerCount('data') === 0) drain(stream)\n",
      instead: 'drain(stream)\n',
      noticed: hostile('^a deadline ends a call'),
    },
    {
      promise: 'what is discarded has an end',
      text: '  endWithin(stream, DISCARD_MS)\n',
      noticed: endless,
    },
    {
      promise: 'what is discarded is read to its end before it is answered',
      text: 'await discard(stream)\n',
      instead: 'void discard(stream)\n',
      noticed: endless,
    },
    {
      promise: 'a deadline ends its call',
      text: 'setTimeout(() => fail(stream, TOO_LATE), ms)',
      instead: 'setTimeout(() => undefined, ms)',
      noticed: answers('^ends a call whose deadline'),
    },
    {
      promise: 'resets are bounded',
      text: '  ...RESETS,\n',
      instead: '  streamResetBurst: 2 ** 31, streamResetRate: 2 ** 31,\n',
      noticed: answers('^ends a connection that opens and resets'),
    },
    {
      promise: 'a message that says it is too large is told so',
      text: 'if (length > maxBytes)\n',
      instead: 'if (length < -1)\n',
      noticed: answers('^refuses a message that says'),
    },
    {
      promise: 'a call has exactly one message',
      text: 'if (length !== body.length - FRAME_HEAD) throw',
      instead: 'if (length < 0) throw',
      noticed: answers('^refuses two messages'),
    },
    {
      promise: 'a compression that we do not have is refused',
      text: "if (encoding !== 'gzip') throw new Refusal(415, 'Send grpc-encoding gzip, or none.')\n",
      noticed: answers('^refuses a compression'),
    },
    {
      promise: 'other services are not there',
      text: "if (path !== SERVICE && !DISCARDED.test(path)) throw new Refusal(404, 'There is no such method here. Export traces.')\n",
      noticed: answers('^refuses a method that is not there'),
    },
    {
      promise: 'a fault of ours is answered without the text of the error',
      text: 'error instanceof Refusal ? error : bug(error, log)',
      instead: 'error instanceof Refusal ? error : new Refusal(500, String(error))',
      noticed: answers('^tells nothing of a fault'),
    },
    {
      promise: 'whatever becomes of a call, its share goes back',
      text: 'share.release()\n',
      noticed: answers('^refuses broken gzip'),
    },
    {
      promise: 'a stop says GOAWAY',
      text: 'for (const session of sessions) session.close()\n',
      noticed: answers('^says GOAWAY'),
    },
  ],
}
