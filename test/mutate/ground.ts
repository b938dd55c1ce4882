// Guards of the ground and of the small rooms: logs that hold nothing, the identity, the Resource,
// facts and settings.
import type { GuardTable, Witness } from './guard.ts'

const log = (name: string): Witness => ({ test: 'test/support/log.test.ts', name })
const identity = (name: string): Witness => ({ test: 'test/identity/identity.test.ts', name })
const enrich = (name: string): Witness => ({ test: 'test/enrich/enrich.test.ts', name })
const facts = (name: string): Witness => ({ test: 'test/enrich/facts.test.ts', name })
const health = (name: string): Witness => ({ test: 'test/sidecar/health.test.ts', name })
const config = (name: string): Witness => ({ test: 'test/support/settings.test.ts', name })

const made = identity('^an identity is made')
const none = identity('^with .* there is no identity')
const equalLines = log('^a line that comes every')
const wrongFacts = facts('.')
const wrongSettings = config('^tells all wrong settings')
const plainHttp = config('^plain http is for loopback')

export const ground: GuardTable = {
  'src/support/log.ts': [
    {
      promise: 'a line that goes on is written less and less',
      text: 'Math.min(2 * last.quietMs, LONGEST_QUIET_MS)',
      instead: 'QUIET_MS',
      noticed: log('^a line that comes every'),
    },
    {
      promise: 'a line that goes on is written once an hour at least',
      text: 'Math.min(2 * last.quietMs, LONGEST_QUIET_MS)',
      instead: '2 * last.quietMs',
      noticed: log('^a line that comes every'),
    },
    {
      promise: 'a line that comes back after a pause is written at once',
      text: ' && ago < 2 * last.quietMs',
      noticed: log('^a line is written at once'),
    },
    {
      promise: 'what is below the level is not written',
      text: 'if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(level)) return\n',
      noticed: log('^what is below'),
    },
    {
      promise: 'equal lines are bounded',
      text: 'if (last !== undefined && ago < last.quietMs) {',
      instead: 'if (last !== undefined && ago < 0) {',
      noticed: equalLines,
    },
    {
      promise: 'a clock that goes back keeps no line back',
      text: 'Math.abs(time - last.at)',
      instead: '(time - last.at)',
      noticed: log('^a clock that is set back'),
    },
    {
      promise: 'what a log remembers is bounded',
      text: 'if (written.size >= REMEMBERED) written.clear()\n',
      noticed: log('^what it remembers'),
    },
    {
      promise: 'a line says how many there were',
      text: '...(repeated ? { repeated } : {})',
      noticed: equalLines,
    },
  ],
  'src/support/errors.ts': [
    {
      promise: 'the code of an error is a code',
      text: "typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code",
      instead: "typeof code === 'string' ? code",
      noticed: { test: 'test/support/errors.test.ts', name: '^the code of an error' },
    },
  ],
  'src/identity/identity.ts': [
    {
      promise: 'an id is a ULID',
      text: "if (!ULID.test(instanceId)) return { reason: 'the file instance-id does not hold a ULID' }\n",
      noticed: none,
    },
    {
      promise: 'a secret is 32 bytes',
      text: "if (!SECRET.test(secret)) return { reason: 'the file secret does not hold 64 hex digits' }\n",
      noticed: none,
    },
    {
      promise: 'a secret is random',
      text: "if (new Set(bytes).size < MIN_DIFFERENT_BYTES) return { reason: 'the file secret is not random' }\n",
      noticed: none,
    },
    {
      promise: 'nothing is made where nothing may be',
      text: '    if (create) {',
      instead: '    if (folder) {',
      noticed: identity('^where there is none and none may'),
    },
    {
      promise: 'the folder is for our user only',
      text: ', mode: 0o700',
      noticed: identity('^nobody else can read'),
    },
    {
      promise: 'the files are for our user only',
      text: "'wx', 0o600",
      instead: "'wx'",
      noticed: identity('^nobody else can read'),
    },
    {
      promise: 'an identity that is there stays',
      text: '  if (exists(path)) return\n',
      instead: '  if (exists(path)) unlinkSync(path)\n',
      noticed: made,
    },
    {
      promise: 'of two processes the first one’s identity stays',
      text: 'linkSync(temporary, path)',
      instead: "writeSync(openSync(path, 'w', 0o600), readFileSync(temporary))",
      noticed: identity('^of many processes'),
    },
    { promise: 'no temporary file stays', text: '    unlinkSync(temporary)\n', noticed: made },
    {
      promise: 'each installation has a secret of its own',
      text: "randomBytes(32).toString('hex')",
      instead: "Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('hex')",
      noticed: identity('^each installation'),
    },
  ],
  'src/enrich/enrich.ts': [
    {
      promise: 'a new day has a new Resource',
      text: 'if (anonymizer.day() !== day) encodeResource()',
      instead: "if (day === '') encodeResource()",
      noticed: enrich('^a new day brings'),
    },
    {
      promise: 'each batch has an id of its own',
      text: '    poolAt += BATCH_ID_BYTES\n',
      noticed: enrich('^each frame has a batch id'),
    },
    {
      promise: 'the random bytes of ids are made anew',
      text: 'if (poolAt === POOL_BYTES) {',
      instead: 'if (poolAt < 0) {',
      noticed: enrich('^each frame has a batch id'),
    },
    {
      promise: 'a batch says under which policy it was made',
      text: "attribute('usage.policy.digest', digest),\n",
      noticed: enrich('^the Resource says whose'),
    },
    {
      promise: 'a large frame is whole',
      text: 'size > KEPT_BUFFER ? Buffer.allocUnsafeSlow(size) : undefined',
      instead: 'undefined',
      noticed: enrich('^a frame that is too large'),
    },
  ],
  'src/enrich/order.ts': [
    {
      promise: 'in which order spans came is not told',
      text: '  keys.sort()\n',
      noticed: enrich('^spans leave in the order of their ids'),
    },
  ],
  'src/enrich/facts.ts': [
    {
      promise: 'facts are JSON, and nothing of them is repeated',
      text: '  } catch {\n    throw',
      instead: '  } catch (error) {\n    throw new ConfigError([String(error)])\n    throw',
      noticed: wrongFacts,
    },
    {
      promise: 'facts are one object',
      text: ' || Array.isArray(parsed))',
      instead: ')',
      noticed: wrongFacts,
    },
    {
      promise: 'facts are bounded',
      text: 'if (entries.length > MAX_FACTS)',
      instead: 'if (entries.length > 1e9)',
      noticed: wrongFacts,
    },
    {
      promise: 'the name of a fact is plain',
      text: 'if (!NAME.test(name)) mistakes',
      instead: "if (name === '') mistakes",
      noticed: wrongFacts,
    },
    {
      promise: 'the instance id cannot be given',
      text: "else if (name === 'instance.id') mistakes",
      instead: "else if (name === '') mistakes",
      noticed: wrongFacts,
    },
    {
      promise: 'the text of a fact is bounded',
      text: 'Buffer.byteLength(value) > MAX_TEXT_BYTES',
      instead: 'false',
      noticed: wrongFacts,
    },
    {
      promise: 'a fact is a text, a number or a boolean',
      text: "typeof value !== 'boolean' && !Number.isFinite(value)",
      instead: 'false',
      noticed: wrongFacts,
    },
    {
      promise: 'our own facts cannot be given',
      text: '[...given, ...own]',
      instead: '[...own, ...given]',
      noticed: wrongFacts,
    },
  ],
  'src/sidecar/health.ts': [
    {
      promise: 'nothing but two paths is there',
      text: "!PATHS.has(request.url ?? '') ? 404 : ",
      noticed: health('^nothing else is there'),
    },
    {
      promise: 'the kubelet only reads',
      text: "request.method === 'GET' || request.method === 'HEAD' ? 200 : 405",
      instead: '200',
      noticed: health('^another method'),
    },
    {
      promise: 'connections are bounded, and what is piled up on them',
      text: '    if (!connections.begin(request, response)) return\n',
      noticed: health('^of requests that are piled up'),
    },
    {
      promise: 'a hundred connections are more than a kubelet needs',
      text: 'watchConnections(server, 256)',
      instead: 'watchConnections(server, 1e9)',
      noticed: health('^many connections'),
    },
  ],
  'src/page/page.ts': [
    {
      promise: 'few requests wait on a connection',
      text: 'if (connections.begin(request, response)) void',
      instead: 'void',
      noticed: { test: 'test/page/page.test.ts', name: '^of requests that are piled up' },
    },
  ],
  'src/support/setting-parsers.ts': [
    {
      promise: 'raw spans are taken in on loopback only',
      text: 'if (!isLoopback(at.host))',
      instead: "if (at.host === 'x')",
      noticed: wrongSettings,
    },
    {
      promise: 'reports leave by https',
      text: "if (url.protocol !== 'https:' && !(url.protocol === 'http:' && inside)) {",
      instead: "if (url.protocol === 'ftp:') {",
      noticed: plainHttp,
    },
    {
      promise: 'an endpoint holds no credentials',
      text: "url.username !== '' || url.password !== '' || ",
      noticed: plainHttp,
    },
    { promise: 'an endpoint holds no query', text: "url.search !== '' || ", noticed: plainHttp },
    {
      promise: 'a duration is one',
      text: "if (match === null) throw new WrongSetting('is a duration such as 30s, 5m, 1h or 7d.')\n",
      instead: 'if (match === null) return 1_000\n',
      noticed: wrongSettings,
    },
    {
      promise: 'a size is one',
      text: 'if (!(bytes >= 65_536)) throw',
      instead: 'if (bytes < 65_536) throw',
      noticed: wrongSettings,
    },
    {
      promise: 'a word is one of those that are allowed',
      text: 'if (word === undefined) throw new WrongSetting(`',
      instead: 'if (words.length === 0) throw new WrongSetting(`',
      noticed: wrongSettings,
    },
    {
      promise: 'a digest is one',
      text: 'if (!/^[0-9a-f]{64}$/.test(text)) throw',
      instead: "if (text === '') throw",
      noticed: config('^every setting that is not'),
    },
  ],
  'src/support/settings.ts': [
    {
      promise: 'a policy is needed',
      text: 'if (config.policy === undefined && config.policyText === undefined)',
      instead: 'if (config.policy === config.dataDir)',
      noticed: config('^the defaults are'),
    },
    {
      promise: 'limits follow the memory',
      text: 'Math.min(config.maxBody, free / 16)',
      instead: 'config.maxBody',
      noticed: config('^limits follow'),
    },
    {
      promise: 'all bodies together follow the memory',
      text: 'Math.min(config.maxInflight, free / 4)',
      instead: 'config.maxInflight',
      noticed: config('^limits follow'),
    },
    {
      promise: 'JSON has a limit of its own',
      text: 'Math.min(maxBody, JSON_BODY)',
      instead: 'maxBody',
      noticed: config('^limits follow'),
    },
  ],
}
