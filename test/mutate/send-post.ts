// Guards of one request to the collector, and of how long to wait for the next.
import type { GuardTable, Witness } from './guard.ts'

const send = (name: string): Witness => ({ test: 'test/send/send.test.ts', name })
const schedule = (name: string): Witness => ({ test: 'test/send/schedule.test.ts', name })
const post = (name: string): Witness => ({ test: 'test/send/post.test.ts', name })
const tls = (name: string): Witness => ({ test: 'test/send/tls.test.ts', name })
const proxy = (name: string): Witness => ({ test: 'test/send/proxy.test.ts', name })
const spread = (name: string): Witness => ({ test: 'test/send/spread.test.ts', name })

const headersFile = post('^what would break the framing')
const retryAfter = schedule('^Retry-After is read')

export const postGuards: GuardTable = {
  'src/send/retry.ts': [
    {
      promise: 'what is not to be tried again is not',
      text: 'status === 0 || RETRYABLE.has(status)',
      instead: 'status === 0 || status >= 400',
      noticed: send('^status 400 drops'),
    },
    {
      promise: 'no answer is tried again',
      text: 'status === 0 || ',
      noticed: send('^status 0 is tried'),
    },
    {
      promise: 'a redirect is a refusal',
      text: 'status >= 200 && status < 300',
      instead: 'status >= 200 && status < 400',
      noticed: send('^status 30'),
    },
    {
      promise: 'an answer that is too large to read is not asked for again',
      text: "if (code === TOO_LARGE) return 'refused'\n",
      noticed: send('^an answer that is too large'),
    },
    { promise: '429 is tried again', text: '429, ', noticed: send('^status 429') },
    { promise: '502 is tried again', text: '502, ', noticed: send('^status 502') },
    { promise: '503 is tried again', text: '503, ', noticed: send('^status 503') },
    { promise: '504 is tried again', text: ', 504', noticed: send('^status 504') },
    {
      promise: 'the wait is never sooner than the collector asks',
      text: 'return asked + Math',
      instead: 'return Math',
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
      text: 'Math.min(MAX_WAIT_MS, Math.max(firstMs * 2 ** failures, asked))',
      instead: 'Math.max(firstMs * 2 ** failures, asked)',
      noticed: schedule('^the wait after a failure'),
    },
    {
      promise: 'a date that many were told does not bring them all back at once',
      text: 'Math.max(firstMs * 2 ** failures, asked)',
      instead: 'firstMs * 2 ** failures',
      noticed: spread('^nothing is due before'),
    },
    {
      promise: 'Retry-After may be seconds',
      text: 'if (/^\\d+$/.test(text)) return Number(text) * 1000\n',
      noticed: retryAfter,
    },
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
    {
      promise: 'a date that is over is no wait',
      text: 'Math.max(0, date - nowMs)',
      instead: 'date - nowMs',
      noticed: retryAfter,
    },
    {
      promise: 'a moment is anywhere in its interval',
      text: ' + Math.floor(random() * intervalMs)',
      noticed: schedule('^a moment is anywhere'),
    },
  ],
  'src/send/post.ts': [
    {
      promise: 'TLS 1.2 is the least',
      text: "minVersion: 'TLSv1.2',\n",
      noticed: tls('^TLS 1.2 is the least'),
    },
    {
      promise: 'no TLS session is resumed',
      text: 'maxCachedSessions: 0,\n',
      noticed: tls('^no connection resumes'),
    },
    {
      promise: 'a wrong certificate gets nothing',
      text: 'rejectUnauthorized: true,\n',
      noticed: tls('^a certificate with'),
    },
    {
      promise: 'the given authority is trusted',
      text: 'to.caFile ?? SYSTEM',
      instead: 'SYSTEM',
      noticed: tls('^a collector whose certificate'),
    },
    {
      promise: 'the collector sees our certificate',
      text: '...(to.clientCertFile === undefined ? {} : { cert: readFileSync(to.clientCertFile) }),\n',
      noticed: tls('^a collector that asks'),
    },
    {
      promise: 'no variable of the environment names a proxy',
      text: 'proxyEnv: undefined',
      instead: 'proxyEnv: process.env',
      noticed: { test: 'test/send/environment.test.ts', name: '^variables of' },
    },
    {
      promise: 'a request has a deadline',
      text: ', AbortSignal.timeout(DEADLINE_MS)',
      noticed: post('^a request ends by itself'),
    },
    {
      promise: 'a request ends when it is told to',
      text: 'AbortSignal.any([signal, AbortSignal',
      instead: 'AbortSignal.any([AbortSignal',
      noticed: post('^a request ends at once'),
    },
    {
      promise: 'framing headers are ours',
      text: ' || OURS.has(name)',
      noticed: post('^the headers file adds'),
    },
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
      text: 'if (length <= KEPT_ANSWER_BYTES) chunks.push(chunk)\n',
      instead: 'if (length > 0) chunks.push(chunk)\n',
      noticed: post('^of an answer without an end'),
    },
    {
      promise: 'an answer without an end is not waited for',
      text: 'if (length <= MAX_ANSWER_BYTES) return\n',
      instead: 'return\n',
      noticed: post('^of an answer without an end'),
    },
    {
      promise: 'certificates of the system are trusted where no others are given',
      text: '...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),\n',
      noticed: tls('^the given authority'),
    },
    {
      promise: 'a proxy that is set is used',
      text: 'to.proxy === undefined ? undefined : ',
      instead: 'to.proxy !== null ? undefined : ',
      noticed: proxy('^a body goes through'),
    },
    {
      promise: 'a proxy that hangs holds nobody longer than the deadline',
      text: "deadline.addEventListener('abort', dial.cancel)\n",
      noticed: proxy('^a proxy that hangs'),
    },
    {
      promise: 'an answer that never begins, or is cut off, is none',
      text: "request.on('close', () => resolve(outcome ?? failure({ code: 'ECONNRESET' })))",
      instead: "request.on('close', () => outcome !== undefined && resolve(outcome))",
      noticed: post('counts as no answer'),
    },
    {
      promise: 'the path is appended with one slash',
      text: ".replace(/\\/+$/, '')",
      noticed: post('^/v1/traces is appended'),
    },
    {
      promise: 'the length is said',
      text: "'content-length': body.length,\n",
      noticed: post('^a request has exactly'),
    },
  ],
  'src/send/dial.ts': [
    {
      promise: 'what the proxy answers but 200 is no tunnel',
      text: 'response.statusCode === 200',
      instead: 'response.statusCode !== undefined',
      noticed: proxy('^a proxy that opens no tunnel'),
    },
    {
      promise: 'a proxy gets the password that was given for it',
      text: "if (username === '') return {}\n",
      instead: 'return {}\n',
      noticed: proxy('^a proxy that asks'),
    },
    {
      promise: 'the connection to a proxy that is given up ends',
      text: '      tcp?.destroy()\n',
      noticed: { ...proxy('^a poster that is closed'), env: { USAGE_TEST_DEADLINE_MS: '1000' } },
    },
  ],
}
