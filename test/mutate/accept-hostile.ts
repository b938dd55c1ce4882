// Guards of the door against clients that do what no SDK does: crowds, pipelines, what cannot be
// read, a foreign Host.
import type { GuardTable, Witness } from './guard.ts'

const hostile = (name: string): Witness => ({ test: 'test/accept/hostile.test.ts', name })

const crowd = hostile('^who has waited longest')
const crowded = hostile('^a thousand connections')
const unreadable = hostile('^what cannot be read')
const piled = hostile('^a connection on which too many')
const waits = hostile('^a client that waits')
const host = hostile('^a Host that another')

export const acceptHostile: GuardTable = {
  'src/net/connection-limiter.ts': [
    {
      promise: 'a door bears so many connections and no more',
      text: 'if (this.#busy.size >= this.#max && !this.dismiss()) {',
      instead: 'if (this.#max < 0) {',
      noticed: crowd,
    },
    {
      promise: 'where nobody waits the newcomer goes',
      text: '      guest.destroy()\n      return false\n',
      noticed: crowd,
    },
    {
      promise: 'who has begun something has not waited longest',
      text: '    if (!this.#waiting.delete(guest)) return\n    this.#waiting.add(guest)\n',
      noticed: crowd,
    },
    {
      promise: 'who is being answered does not go',
      text: 'this.#waiting.delete(guest)\n  }\n\n  answered',
      instead: '}\n\n  answered',
      noticed: crowd,
    },
    {
      promise: 'who has all answers waits again',
      text: 'if (count === 1) this.#waiting.add(guest)\n',
      noticed: crowd,
    },
    {
      promise: 'who asks does not go for itself',
      text: 'if (guest === except) continue\n',
      noticed: crowd,
    },
    {
      promise: 'who went has left',
      text: '      this.leave(guest)\n      guest',
      instead: '      guest',
      noticed: crowd,
    },
  ],
  'src/net/http-connections.ts': [
    {
      promise: 'connections that send nothing keep nobody out',
      text: 'if (!crowd.enter(socket)) return\n',
      noticed: crowded,
    },
    {
      promise: 'few requests of one connection wait',
      text: 'line.count > MAX_UNANSWERED || ',
      noticed: piled,
    },
    {
      promise: 'the rest of a pipeline is not looked at',
      text: '        stopParsing(socket)\n',
      noticed: piled,
    },
  ],
  'src/accept/raw-response.ts': [
    {
      promise: 'a client that is gone when it is told ends nothing else',
      text: "  socket.on('error', () => undefined)\n",
      noticed: hostile('^a client that resets'),
    },
    {
      promise: 'nothing is answered in the place of a request that is being answered',
      text: "else if (place === 'behind') socket.destroy()\n",
      noticed: hostile('^what follows a request'),
    },
    {
      promise: 'a request that has its answer keeps it',
      text: "if (place === 'answered') endSoon(socket)\n",
      instead: "if (place === 'answered') socket.destroy()\n",
      noticed: hostile('^what follows a request'),
    },
    {
      promise: 'what cannot be read is answered and not only cut off',
      text: 'else answerUnparsed(socket, refusal)\n',
      instead: 'else socket.destroy()\n',
      noticed: unreadable,
    },
    {
      promise: 'what cannot be read is counted once',
      text: "if (place === 'new') counters",
      instead: 'counters',
      noticed: unreadable,
    },
    {
      promise: 'what cannot be read is told by its status',
      text: 'REFUSALS[errorCode(error)] ?? NOT_HTTP',
      instead: 'NOT_HTTP',
      noticed: unreadable,
    },
    {
      promise: 'an answer that nobody asked for says what it is',
      text: "    'content-type: application/json',\n",
      noticed: unreadable,
    },
    {
      promise: 'a connection that is told ends',
      text: 'setTimeout(() => socket.destroy(), LINGER_MS)',
      instead: 'setTimeout(() => undefined, LINGER_MS)',
      noticed: hostile('^a client that was told'),
    },
  ],
  'src/accept/accept.ts': [
    {
      promise: 'a header is bounded',
      text: '  maxHeaderSize: 8 * 1024,\n',
      instead: '  maxHeaderSize: 64 * 1024,\n',
      noticed: unreadable,
    },
    {
      promise: 'header fields that would be left out are refused',
      text: "if (request.rawHeaders.length >= 2 * MAX_HEADERS) throw new Refusal(431, 'The header is too large. Send fewer header fields.')\n",
      noticed: hostile('^as many header fields'),
    },
    {
      promise: 'a body that will be refused is not asked for',
      text: '      if (announced !== undefined && announced > maxBody) throw tooLarge(maxBody)\n',
      noticed: waits,
    },
    {
      promise: 'a body that will be read is asked for',
      text: '      response.writeContinue()\n      call.waits = false\n    }',
      instead: '    }',
      noticed: waits,
    },
    {
      promise: 'a body that may come or not ends its connection',
      text: 'refusal.status === 408 || call.waits',
      instead: 'refusal.status === 408',
      noticed: waits,
    },
    {
      promise: 'another expectation is refused',
      text: "throw new Refusal(417, 'Send no Expect, or 100-continue.')",
      instead: 'call(1)',
      noticed: waits,
    },
    {
      promise: 'a foreign Host is refused',
      text: "if (!isPublic && !NEAR.test(host)) throw new Refusal(421, 'Send to this machine as localhost or 127.0.0.1, not by a name of the network.')\n",
      noticed: host,
    },
    {
      promise: 'a public door has a name',
      text: '!isPublic && !NEAR',
      instead: '!NEAR',
      noticed: host,
    },
    {
      promise: 'a request without Host is refused',
      text: "if (request.httpVersionMinor > 0) throw new Refusal(400, 'Send one Host header.')\n",
      noticed: host,
    },
  ],
}
