// Guards of the door out: consent before each request, a receipt before each attempt, and nothing that the request tells
// beside its body.
import type { GuardTable, Witness } from './guard.ts'

const send = (name: string): Witness => ({ test: 'test/send.test.ts', name })
const consent = (name: string): Witness => ({ test: 'test/send-consent.test.ts', name })
const schedule = (name: string): Witness => ({ test: 'test/send-schedule.test.ts', name })
const post = (name: string): Witness => ({ test: 'test/send-post.test.ts', name })
const tls = (name: string): Witness => ({ test: 'test/send-tls.test.ts', name })

const headersFile = post('^what would break the framing')
const retryAfter = schedule('^Retry-After is read')
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
      promise: 'an answer that came is in the receipts, whatever has changed since',
      text: "if (abort.signal.aborted) return 'retry'\n",
      instead: "if (!allowed() || abort.signal.aborted) return 'retry'\n",
      noticed: consent('^consent that ends while a request'),
    },
    {
      promise: 'a request that a stop ended has no outcome',
      text: "if (abort.signal.aborted) return 'retry'\n",
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
      text: 'if (abort.signal.aborted) return\n        const body',
      instead: 'const body',
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
      text: 'await queue.recordOutcome(body, { result, status: answer.status, rejected })\n',
      noticed: send('^a delivered body is in sent'),
    },
    { promise: 'a drain seals what has come', text: 'await queue.seal()\n', noticed: send('^a delivered body is in sent') },
    {
      promise: 'nothing follows a body that is to be tried again',
      text: "if (result === 'retry') return\n",
      noticed: send('^status 503 is tried again'),
    },
    {
      promise: 'a delivered body ends the failures',
      text: 'failures = 0\n      }',
      instead: '}',
      noticed: schedule('^each failure in a row'),
    },
    { promise: 'each failure makes the wait larger', text: '      failures++\n', noticed: schedule('^each failure in a row') },
    { promise: 'the wait after a failure is kept', text: 'waitUntil = now() + wait\n', noticed: schedule('^the wait lies behind') },
    {
      promise: 'a drain that cannot begin waits as well',
      text: 'waitUntil = now() + waitMs(failures++, undefined, random)\n',
      noticed: send('^a drain that cannot begin'),
    },
    { promise: 'the connection ends with its drain', text: 'poster?.close()\n', noticed: oneDrain },
    {
      promise: 'one drain has one connection',
      text: 'poster ??= await open(',
      instead: 'poster = await open(',
      noticed: oneDrain,
    },
    { promise: 'one drain at a time', text: 'if (running !== undefined) return\n', noticed: send('^no drain begins') },
    {
      promise: 'nothing is drained without consent',
      text: '    // Last, because it reads files.\n    if (!allowed()) return\n',
      noticed: schedule('^nothing is drained while'),
    },
    {
      promise: 'nothing is sent before the first send delay',
      text: 'time < options.notBefore || ',
      noticed: schedule('^nothing is sent before'),
    },
    {
      promise: 'nothing is sent before the wait is over',
      text: 'time < options.notBefore || time < waitUntil',
      instead: 'time < options.notBefore',
      noticed: schedule('^the wait lies behind'),
    },
    {
      promise: 'a drain has its moment',
      text: 'if (!retrying && time < moment && !queue.halfFull()) return\n',
      noticed: schedule('^each interval has one drain'),
    },
    {
      promise: 'a queue that is half full does not wait for the moment',
      text: ' && !queue.halfFull()',
      noticed: schedule('^a queue that is half full'),
    },
    {
      promise: 'each interval has a moment of its own',
      text: 'do moment = momentOf(++interval, startsAt, options.intervalMs, random)\n      while (moment <= time)\n',
      noticed: schedule('^each interval has one drain'),
    },
    {
      promise: 'intervals that were slept through are left out',
      text: 'interval = Math.max(interval, Math.floor((time - startsAt) / options.intervalMs) - 1)\n',
      noticed: schedule('^a clock that jumps'),
    },
    {
      promise: 'a moment that is over is not made up for',
      text: '\n      while (moment <= time)',
      instead: '\n      while (false)',
      noticed: schedule('^intervals that were slept'),
    },
    {
      promise: 'the first moment is random too',
      text: 'Math.max(now(), options.notBefore)',
      instead: 'now()',
      noticed: schedule('^nothing is sent before'),
    },
    {
      promise: 'a collector cannot reject more spans than it was sent',
      text: 'Math.min(options.rejectedSpans(answer.body), body.spans)',
      instead: 'options.rejectedSpans(answer.body)',
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
    { promise: 'refused spans are counted', text: "counters.add('refused.spans', body.spans)\n", noticed: send('^status 400 drops') },
    { promise: 'a stop waits for what is being written', text: 'await running\n', noticed: consent('^a stop waits') },
    {
      promise: 'an unreachable collector is told once',
      text: 'if (failures === 1)\n        log',
      instead: 'log',
      noticed: send('^status 503 is tried'),
    },
  ],
  'src/send/retry.ts': [
    {
      promise: 'what is not to be tried again is not',
      text: 'status === 0 || RETRYABLE.has(status)',
      instead: 'status === 0 || status >= 400',
      noticed: send('^status 400 drops'),
    },
    { promise: 'no answer is tried again', text: 'status === 0 || ', noticed: send('^status 0 is tried') },
    {
      promise: 'a redirect is a refusal',
      text: 'status >= 200 && status < 300',
      instead: 'status >= 200 && status < 400',
      noticed: send('^status 30'),
    },
    { promise: '429 is tried again', text: '429, ', noticed: send('^status 429') },
    { promise: '502 is tried again', text: '502, ', noticed: send('^status 502') },
    { promise: '503 is tried again', text: '503, ', noticed: send('^status 503') },
    { promise: '504 is tried again', text: ', 504', noticed: send('^status 504') },
    {
      promise: 'the wait is never sooner than the collector asks',
      text: 'Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS) + ',
      noticed: schedule('^the wait lies behind'),
    },
    {
      promise: 'a collector cannot ask for silence for ever',
      text: 'Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)',
      instead: '(retryAfterMs ?? 0)',
      noticed: schedule('^the wait lies behind'),
    },
    {
      promise: 'the wait has full jitter',
      text: 'Math.floor(random() * bound)',
      instead: 'bound',
      noticed: schedule('^the wait after a failure'),
    },
    {
      promise: 'the wait is bounded',
      text: 'Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** failures)',
      instead: 'FIRST_WAIT_MS * 2 ** failures',
      noticed: schedule('^the wait after a failure'),
    },
    { promise: 'Retry-After may be seconds', text: 'if (/^\\d+$/.test(text)) return Number(text) * 1000\n', noticed: retryAfter },
    {
      promise: 'Retry-After is no other text that Date reads',
      text: 'HTTP_DATE.test(text) ? Date',
      instead: "text !== '' ? Date",
      noticed: retryAfter,
    },
    {
      promise: 'a date of HTTP is in GMT',
      text: "text.endsWith('GMT') ? text : `",
      instead: "text !== '' ? text : `",
      noticed: retryAfter,
    },
    { promise: 'a date that is over is no wait', text: 'Math.max(0, date - nowMs)', instead: 'date - nowMs', noticed: retryAfter },
    {
      promise: 'a moment is anywhere in its interval',
      text: ' + Math.floor(random() * intervalMs)',
      noticed: schedule('^a moment is anywhere'),
    },
  ],
  'src/send/post.ts': [
    { promise: 'TLS 1.2 is the least', text: "minVersion: 'TLSv1.2',\n", noticed: tls('^TLS 1.2 is the least') },
    { promise: 'no TLS session is resumed', text: 'maxCachedSessions: 0,\n', noticed: tls('^no connection resumes') },
    { promise: 'a wrong certificate gets nothing', text: 'rejectUnauthorized: true,\n', noticed: tls('^a certificate with') },
    {
      promise: 'the given authority is trusted',
      text: '...(to.caFile === undefined ? {} : { ca: file(to.caFile)! }),\n',
      noticed: tls('^a collector whose certificate'),
    },
    {
      promise: 'the collector sees our certificate',
      text: '...(to.clientCertFile === undefined ? {} : { cert: file(to.clientCertFile)! }),\n',
      noticed: tls('^a collector that asks'),
    },
    {
      promise: 'no variable of the environment names a proxy',
      text: 'proxyEnv: undefined',
      instead: 'proxyEnv: process.env',
      noticed: { test: 'test/send-environment.test.ts', name: '^variables of' },
    },
    { promise: 'a request has a deadline', text: ', AbortSignal.timeout(DEADLINE_MS)', noticed: post('^a request ends by itself') },
    {
      promise: 'a request ends when it is told to',
      text: 'AbortSignal.any([signal, AbortSignal',
      instead: 'AbortSignal.any([AbortSignal',
      noticed: post('^a request ends at once'),
    },
    { promise: 'framing headers are ours', text: ' || OURS.has(name)', noticed: post('^the headers file adds') },
    {
      promise: 'a header is one line of printable letters',
      text: '([\\t\\x20-\\x7e]*)$/.exec',
      instead: '(.*)$/.exec',
      noticed: headersFile,
    },
    { promise: 'a comment is no header', text: "line.startsWith('#') || ", noticed: headersFile },
    {
      promise: 'the program says no finer version',
      text: "'usage-sidecar/0'",
      instead: "'usage-sidecar/0.1.0'",
      noticed: post('^a request has exactly'),
    },
    {
      promise: 'of an answer 64 KiB are read',
      text: 'MAX_ANSWER_BYTES = 64 * 1024',
      instead: 'MAX_ANSWER_BYTES = 640 * 1024',
      noticed: post('^of an answer without an end'),
    },
    {
      promise: 'an answer that is cut off is none',
      text: "response.on('error', failed)",
      instead: "response.on('error', () => undefined)",
      noticed: post('counts as no answer'),
    },
    {
      promise: 'an answer that never begins is none',
      text: "resolve(outcome ?? failure({ code: 'ECONNRESET' }))",
      instead: 'outcome === undefined ? undefined : resolve(outcome)',
      noticed: post('counts as no answer'),
    },
    { promise: 'the path is appended with one slash', text: ".replace(/\\/+$/, '')", noticed: post('^/v1/traces is appended') },
    { promise: 'the length is said', text: "'content-length': body.length,\n", noticed: post('^a request has exactly') },
  ],
}
