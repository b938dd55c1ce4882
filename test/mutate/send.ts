// Guards of the door out: consent before each request, a receipt before each attempt, and nothing
// that the request tells beside its body.
import type { GuardTable, Witness } from './guard.ts'

const send = (name: string): Witness => ({ test: 'test/send/send.test.ts', name })
const consent = (name: string): Witness => ({ test: 'test/send/consent.test.ts', name })
const schedule = (name: string): Witness => ({ test: 'test/send/schedule.test.ts', name })
const spread = (name: string): Witness => ({ test: 'test/send/spread.test.ts', name })
const outage = (name: string): Witness => ({ test: 'test/system/outage.test.ts', name })
const end = (name: string): Witness => ({ test: 'test/sidecar/shutdown.test.ts', name })

const oneDrain = send('^one drain takes every body')

export const sendGuards: GuardTable = {
  'src/send/send.ts': [
    {
      promise: 'a receipt is on disk before the request is made',
      text: 'await queue.recordAttempt(body)\n',
      noticed: send('^a receipt is on disk'),
    },
    {
      promise: 'consent is asked again right before the request',
      text: "if (!allowed()) return 'retry'\n",
      noticed: consent('^consent that ends while the receipt'),
    },
    {
      promise: 'an answer that came is in the receipts, although consent has ended',
      text: "return abort.signal.aborted ? 'retry' : await settle(body, answer)",
      instead: "return abort.signal.aborted || !allowed() ? 'retry' : await settle(body, answer)",
      noticed: consent('^consent that ends while a request'),
    },
    {
      promise: 'a request that a stop ended has no outcome',
      text: 'return abort.signal.aborted ? ',
      instead: 'return !(abort.signal satisfies object) ? ',
      noticed: consent('^a stop ends a request'),
    },
    {
      promise: 'a stop ends the request in flight',
      text: 'poster.post(body.content, abort.signal)',
      instead: 'poster.post(body.content, new AbortController().signal)',
      noticed: consent('^a stop ends a request'),
    },
    {
      promise: 'no body is begun after a stop',
      text: 'while (allowed() && !abort.signal.aborted) {',
      instead: 'while (allowed()) {',
      noticed: consent('^a stop waits'),
    },
    {
      promise: 'consent is asked before each commit',
      text: 'queue.next(allowed)',
      instead: 'queue.next(() => true)',
      noticed: consent('^consent that ends before'),
    },
    {
      promise: 'every outcome is in the receipts',
      text: 'await queue.recordOutcome(body, { result, status, rejected })\n',
      noticed: send('^a delivered body is in sent'),
    },
    {
      promise: 'a drain seals what has come',
      text: 'await queue.seal()\n',
      noticed: send('^a delivered body is in sent'),
    },
    {
      promise: 'a drain seals once, however much comes meanwhile',
      text: 'if (sealed) return schedule.settled()\n',
      instead: 'if (sealed && queue.status().bytes === 0) return schedule.settled()\n',
      noticed: outage('^what comes while a drain'),
    },
    {
      promise: 'attempts that fail do not cut what waits into pieces',
      text: '      while (allowed()',
      instead: '      await queue.seal()\n      while (allowed()',
      noticed: outage('^a week without'),
    },
    {
      promise: 'nothing follows a body that is to be tried again',
      text: "if ((await attempt(poster, body).finally(() => release(body.content))) === 'retry') return\n",
      instead: 'await attempt(poster, body).finally(() => release(body.content))\n',
      noticed: outage('^the drain after an outage'),
    },
    {
      promise: 'the wait after a failure begins with it',
      text: "if (result === 'retry') schedule.failed(retryAfterMs(retryAfter, now()))\n    else",
      instead: '',
      noticed: schedule('^the wait lies behind'),
    },
    {
      promise: 'a delivered body ends the failures',
      text: '    else schedule.settled()\n',
      instead: '',
      noticed: outage('^the drain after an outage'),
    },
    {
      promise: 'nothing is looked for where nothing waits',
      text: 'return schedule.settled()\n          //',
      instead: 'return\n          //',
      noticed: outage('^nothing is sent, and nothing'),
    },
    {
      promise: 'a drain that cannot begin waits as well',
      text: 'schedule.failed(undefined)\n',
      noticed: send('^a drain that cannot begin'),
    },
    {
      promise: 'the connection ends with its drain',
      text: 'poster?.close()\n',
      noticed: oneDrain,
    },
    {
      promise: 'one drain has one connection',
      text: 'poster ??= await open(options.destination)',
      instead: 'poster = await open(options.destination)',
      noticed: oneDrain,
    },
    {
      promise: 'one drain at a time',
      text: 'running === undefined && !abort',
      instead: '!abort',
      noticed: send('^no drain begins'),
    },
    {
      promise: 'a queue that is half full does not wait for the moment',
      text: 'schedule.due(queue.halfFull())',
      instead: 'schedule.due(false)',
      noticed: schedule('^a queue that is half full'),
    },
    {
      promise: 'a collector cannot reject more spans than it was sent',
      text: 'Math.min(options.rejectedSpans(answer), body.spans)',
      instead: 'options.rejectedSpans(answer)',
      noticed: send('^spans that the collector says'),
    },
    {
      promise: 'rejected spans are not counted as sent',
      text: 'body.spans - rejected',
      instead: 'body.spans',
      noticed: send('^spans that the collector says'),
    },
    {
      promise: 'rejected spans are counted',
      text: "counters.add('sent.rejected', rejected)\n",
      noticed: send('^spans that the collector says'),
    },
    {
      promise: 'refused spans are counted',
      text: "counters.add('refused.spans', body.spans)\n",
      noticed: send('^status 400 drops'),
    },
    {
      promise: 'a state is told once',
      text: 'if (state !== next) tell()',
      instead: 'tell()',
      noticed: send('^status 503 is tried'),
    },
    {
      promise: 'a stop waits for what is being written',
      text: '      await running\n    },',
      instead: '    },',
      noticed: consent('^a stop waits'),
    },
    {
      promise: 'a drain that has begun gets its time at the end',
      text: '        await look()\n        clearTimeout',
      instead: '        clearTimeout',
      noticed: end('^a drain that has begun'),
    },
    {
      promise: 'the time at the end is bounded',
      text: 'const late = setTimeout(() => abort.abort(), graceMs)',
      instead: 'const late = setTimeout(() => undefined, graceMs)',
      noticed: end('^a drain that has begun'),
    },
  ],
  'src/send/schedule.ts': [
    {
      promise: 'nothing is sent before the first send delay, half full or not',
      text: 'let waitUntil = startedAt',
      instead: 'let waitUntil = 0',
      noticed: spread('^nothing is due in the delay'),
    },
    {
      promise: 'those whose delay ends together do not send together',
      text: 'madeAt + Math.max(0, notBefore - now())',
      instead: 'madeAt',
      noticed: spread('^nothing is due in the delay'),
    },
    {
      promise: 'nothing is sent before the wait is over',
      text: 'if (time < waitUntil) return false\n',
      noticed: schedule('^the wait lies behind'),
    },
    {
      promise: 'a clock that is set back moves no drain',
      text: '      const time = uptime()\n      if (time',
      instead: '      const time = now()\n      if (time',
      noticed: spread('^a clock that is set back'),
    },
    {
      promise: 'a drain has its moment',
      text: 'if (failures === 0 && time < moment && !pressing) return false\n',
      noticed: schedule('^each interval has one drain'),
    },
    {
      promise: 'those that filled up together do not come together',
      text: 'random() * Math.min(intervalMs / PRESSED',
      instead: '0 * Math.min(intervalMs / PRESSED',
      noticed: spread('^nothing is due in the delay'),
    },
    {
      promise: 'what fills in seconds does not wait for minutes',
      text: ', (time - emptySince) / PRESSED_FILL_PART)',
      instead: ')',
      noticed: spread('^a queue that is half full'),
    },
    {
      promise: 'each interval has a moment of its own',
      text: 'if (time >= moment) pass(time)\n',
      noticed: schedule('^each interval has one drain'),
    },
    {
      promise: 'intervals that were slept through are left out',
      text: 'interval = Math.max(interval, Math.floor((time - startedAt) / intervalMs) - 1)\n',
      noticed: schedule('^a clock that jumps'),
    },
    {
      promise: 'a moment that is over is not made up for',
      text: '\n    while (moment <= time)',
      instead: '\n    while (false)',
      noticed: schedule('^intervals that were slept'),
    },
    {
      promise: 'who reports once an hour does not come back within a second',
      text: ', random, firstWaitMs)',
      instead: ', random)',
      noticed: spread('^after a failure'),
    },
    {
      promise: 'each failure makes the wait larger',
      text: 'waitMs(failures++, ',
      instead: 'waitMs(failures === 0 ? failures++ : 0, ',
      noticed: schedule('^each failure in a row'),
    },
  ],
}
