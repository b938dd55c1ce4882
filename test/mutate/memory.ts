// Guards of the memory: who holds the last reference to a large buffer gives it back.
import type { GuardTable, Witness } from './guard.ts'

const memory = (name: string): Witness => ({ test: 'test/support/memory.test.ts', name })
const pass = memory('^the pass gives back')
const queue = memory('^the queue gives back')
const inflating = memory('^inflating gives back')
const forms = memory('^the door gives back each form')

export const memoryGuards: GuardTable = {
  'src/support/memory.ts': [
    {
      promise: 'what Node shares among small buffers is left alone',
      text: 'if (own && buffer',
      instead: 'if (buffer',
      noticed: memory('^a buffer of its own'),
    },
  ],
  'src/anonymize/ids.ts': [
    {
      promise: 'ids are made so many at once and no more',
      text: '>= AT_ONCE',
      instead: '>= 2 ** 31',
      noticed: memory('^ids are made'),
    },
  ],
  'src/anonymize/span-writer.ts': [
    {
      promise: 'spans that outgrow their buffer give it back',
      text: 'release(this.#out)\n    this.#out = grown\n',
      instead: 'this.#out = grown\n',
      noticed: pass,
    },
    {
      promise: 'the spans of a refused request are given back',
      text: 'this.done()\n',
      noticed: pass,
    },
  ],
  'src/enrich/enrich.ts': [
    { promise: 'framed spans are given back', text: 'anonymizer.done()\n', noticed: pass },
    {
      promise: 'a large frame is given back',
      text: 'if (large !== undefined) release(large)\n',
      noticed: pass,
    },
  ],
  'src/sidecar/pipeline.ts': [
    {
      promise: 'a record that the queue has copied is given back',
      text: 'enricher.done()\n',
      noticed: memory('^the sidecar gives back'),
    },
  ],
  'src/otlp/json.ts': [
    {
      promise: 'what JSON became before it was refused is given back',
      text: 'release(out.bytes)\n',
      noticed: memory('^turning JSON'),
    },
  ],
  'src/otlp/json-output.ts': [
    {
      promise: 'protobuf that outgrows its buffer gives it back',
      text: 'release(this.bytes)\n',
      noticed: memory('^turning JSON'),
    },
  ],
  'src/accept/body.ts': [
    {
      promise: 'a chunk that is copied is given back',
      text: '    release(chunk)\n    return undefined\n',
      instead: '    return undefined\n',
      noticed: forms,
    },
    {
      promise: 'a block that is joined is given back',
      text: '      release(block)\n    }\n',
      instead: '    }\n',
      noticed: forms,
    },
    {
      promise: 'the blocks of a refused body are given back',
      text: 'blocks.release()\n',
      noticed: memory('^the door gives back what it has'),
    },
    {
      promise: 'the rest of a refused body is given back',
      text: "request.on('data', release)\n",
      instead: 'request.resume()\n',
      noticed: memory('^the door gives back what it reads'),
    },
  ],
  'src/accept/inflate.ts': [
    {
      promise: 'what was inflated is given back',
      text: '      release(body)\n',
      noticed: inflating,
    },
    {
      promise: 'what was inflated of a refused body is given back',
      text: '      release(out)\n      reject(refusal)\n',
      instead: '      reject(refusal)\n',
      noticed: inflating,
    },
    {
      promise: 'the pieces of zlib are given back',
      text: 'if (last !== undefined && last.buffer !== piece.buffer) release(last)\n',
      noticed: inflating,
    },
  ],
  'src/accept/accept.ts': [
    {
      promise: 'a body that was handled is given back',
      text: '      release(body)\n    }\n',
      instead: '    }\n',
      noticed: forms,
    },
    {
      promise: 'JSON that was turned is given back',
      text: '    release(body)\n    return turned\n',
      instead: '    return turned\n',
      noticed: forms,
    },
  ],
  'src/queue/commit-group.ts': [
    {
      promise: 'a group that outgrows its buffer gives it back',
      text: '      release(this.#buffer)\n      this',
      instead: '      this',
      noticed: queue,
    },
    {
      promise: 'the buffer of a large group is given back',
      text: '    release(this.#buffer)\n    return undefined\n',
      instead: '    return undefined\n',
      noticed: queue,
    },
  ],
  'src/queue/body.ts': [
    { promise: 'a file that is joined is given back', text: '  release(bytes)\n', noticed: queue },
    {
      promise: 'what is compressed is given back',
      text: '  release(joined)\n  return { sequence',
      instead: '  return { sequence',
      noticed: queue,
    },
    {
      promise: 'what was inflated to be counted is given back',
      text: '  release(joined)\n  return body\n',
      instead: '  return body\n',
      noticed: queue,
    },
  ],
  'src/send/post.ts': [
    {
      promise: 'nothing reads a body any more whose answer is told',
      text: 'outcome ??= answer\n        // An answer may come before all of the body has gone. The rest is not sent.\n        if (!request.writableFinished) request.destroy()\n',
      instead: 'resolve(answer)\n',
      noticed: memory('^a body may be given back'),
    },
  ],
}
