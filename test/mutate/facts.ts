// Guards of the facts job: what it asks and may, what it publishes, when it reports, and that
// nothing raw is told.
import type { GuardTable, Witness } from './guard.ts'

const narrow = (name: string): Witness => ({
  test: 'test/anonymize/narrow-facts.test.ts',
  name,
  env: { USAGE_RUNS: '1000' },
})
const read = (name: string): Witness => ({ test: 'test/facts/read.test.ts', name })
const job = (name: string): Witness => ({ test: 'test/facts/facts.test.ts', name })
const command = (name: string): Witness => ({ test: 'test/facts/command.test.ts', name })
const api = (name: string): Witness => ({ test: 'test/facts/cluster.test.ts', name })
const manifest = (name: string): Witness => ({ test: 'test/scripts/facts-manifest.test.ts', name })
const road = (name: string): Witness => ({ test: 'test/system/cluster-report.test.ts', name })

const property = narrow('^policing what is published')
const questions = read('^of each fact just what it needs')
const firstReport = job('^the first report under a policy')
const settled = job('^the job stays until')
const wrongFlags = command('^wrong flags and settings')
const identity = api('^the Secret of the identity')

export const factsGuards: GuardTable = {
  'src/anonymize/narrow-facts.ts': [
    {
      promise: 'what the policy does not name is not published',
      text: '    factsNamed(policy).flatMap((name): [string, Scalar][] => {',
      instead: '    [...facts.keys()].flatMap((name): [string, Scalar][] => {',
      noticed: narrow('^facts become what the policy makes'),
    },
    {
      promise: 'a fact is published as narrow as it is sent',
      text: 'candidates(readers, value).find(alike) ?? value',
      instead: 'value',
      noticed: narrow('^facts become what the policy makes'),
    },
    {
      promise: 'every reader decides, not the first one',
      text: '  return readers.flatMap(({ field, tested }) => {\n    const outcome',
      instead: '  return readers.slice(0, 1).flatMap(({ field, tested }) => {\n    const outcome',
      noticed: narrow('^a fact that is read twice'),
    },
    {
      promise: 'what is sent as it is, joined or hashed stays whole',
      text: "if (value === '' || !readers.every(chooses)) return value\n",
      instead: '',
      noticed: narrow('^what is sent as it is'),
    },
    {
      promise: 'no list has the word for what no list has',
      text: "  while (listed.some((one) => String(one).toLowerCase() === unlisted)) unlisted += '_'\n",
      noticed: property,
    },
    {
      promise: 'what an overlay drops is not published',
      text: "return all.filter(({ field, tested }) => tested || field.narrow?.kind !== 'drop')",
      instead: 'return all',
      noticed: narrow('^what an overlay drops'),
    },
  ],
  'src/facts/needs.ts': [
    {
      promise: 'what is given is not asked for',
      text: '.filter((name) => !given.has(name))\n  return {',
      instead: '\n  return {',
      noticed: read('^what the chart gives'),
    },
    {
      promise: 'the identity and what each sidecar knows are not published',
      text: "const OF_THE_SIDECAR = ['host.arch', 'host.os', 'instance.id']",
      instead: 'const OF_THE_SIDECAR: string[] = []',
      noticed: job('^a policy that names no fact of the cluster'),
    },
    {
      promise: 'where a number is wanted no node is read',
      text: "return asked.includes('k8s.nodes') ? 'count' : 'none'",
      instead: "return asked.includes('k8s.nodes') ? 'all' : 'none'",
      noticed: questions,
    },
    {
      promise: 'where one node will do the others are not read',
      text: "['k8s.provider', 'k8s.distribution', ONE_NODE].some((name) => asked.includes(name))) return 'one'",
      instead:
        "['k8s.provider', 'k8s.distribution', ONE_NODE].some((name) => asked.includes(name))) return 'all'",
      noticed: questions,
    },
  ],
  'src/facts/read.ts': [
    {
      promise: 'where a number is wanted the server sends metadata only',
      text: '...(keep === undefined ? { accept: METADATA } : {})',
      instead: '...{}',
      noticed: questions,
    },
    {
      promise: 'a count stops where the server has said the rest',
      text: "    if (stopAtCount && typeof rest === 'number' && Number.isSafeInteger(rest)) return { count: count + rest }\n",
      noticed: questions,
    },
    {
      promise: 'a group is asked about once',
      text: '  served.set(group, answer)\n',
      noticed: questions,
    },
    {
      promise: 'a distribution that nobody could tell is not "other"',
      text: '  if (openshift.status !== 404) return failed(OPENSHIFT, openshift)\n',
      noticed: read('^with each right alone'),
    },
    {
      promise: 'a right that is missing is named for every fact',
      text: "if ('right' in got) missing.push(missingFor(name, got))",
      instead: "if ('right' in got) void got",
      noticed: read('^without any right'),
    },
    {
      promise: 'what may pass is told from what will not',
      text: 'passing: status === 0 || status === 429 || status >= 500,',
      instead: 'passing: false,',
      noticed: read('^an answer that is none'),
    },
  ],
  'src/facts/cluster.ts': [
    {
      promise: 'what is forbidden is asked once',
      text: 'if (answer.status !== 0 && answer.status !== 429 && answer.status < 500) return answer\n',
      instead: 'if (answer.status >= 200 && answer.status < 300) return answer\n',
      noticed: api('^what is forbidden is asked once'),
    },
    {
      promise: 'a question comes to an end',
      text: '      request.setSignal(AbortSignal.timeout(deadlineMs))\n',
      noticed: api('^an answer that never ends'),
    },
    {
      promise: 'the questions share their connections',
      text: '      if (dispatcher !== undefined) request.setDispatcher(dispatcher)\n',
      noticed: road('^the questions share'),
    },
    {
      promise: 'an answer that is no JSON is none',
      text: '    } catch {\n      return { status: 0, body: undefined }\n    }',
      instead: "    } catch (error) {\n      throw new Error('no answer', { cause: error })\n    }",
      noticed: api('^an answer that never ends'),
    },
  ],
  'src/facts/publish.ts': [
    {
      promise: 'the first report waits from the day on which the ConfigMap was made',
      text: "const policySince = known === '' && made <= now ? made : now",
      instead: 'const policySince = 0',
      noticed: firstReport,
    },
    {
      promise: 'another policy waits anew',
      text: 'if (known === digest && since <= now) return { policySince: since }',
      instead: 'if (since <= now) return { policySince: since }',
      noticed: firstReport,
    },
  ],
  'src/facts/facts.ts': [
    {
      promise: 'off while the cluster is read is seen before anything is published',
      text: "  if (!allowed()) {\n    log.info('facts: reporting was turned off meanwhile",
      instead: "  if (!allowed) {\n    log.info('facts: reporting was turned off meanwhile",
      noticed: job('^off while the cluster is read'),
    },
    {
      promise: 'off by the job’s own switches asks nothing',
      text: "  if (!allowed()) {\n    log.info('facts: reporting is off; nothing is read')",
      instead: "  if (!allowed) {\n    log.info('facts: reporting is off; nothing is read')",
      noticed: job('^off is silent'),
    },
    {
      promise: 'off in the sidecar asks nothing',
      text: "  if (sidecar?.mode === 'off') {\n",
      instead: '  if (sidecar?.mode === undefined && reports && false) {\n',
      noticed: job('^off is silent'),
    },
    {
      promise: 'the first report waits',
      text: 'if (published.policySince + options.firstReportDelay > Date.now()) {',
      instead: 'if (published.policySince === 1) {',
      noticed: firstReport,
    },
    {
      promise: 'where nobody can remember since when, nothing is reported',
      text: 'const unknown = firstReportDelay > 0 ? Number.POSITIVE_INFINITY : 0',
      instead: 'const unknown = 0',
      noticed: firstReport,
    },
    {
      promise: 'the report waits until its sidecar knows the facts',
      text: 'const before = await factsKnown(options, published)',
      instead: 'const before = await status()',
      noticed: job('^the report waits until its sidecar knows'),
    },
  ],
  'src/facts/settled.ts': [
    {
      promise: 'a report that waits is waited for',
      text: 'if (!now.waiting.some(({ name }) => ours(sequenceOf(name)))) return verdict',
      instead: 'return verdict',
      noticed: settled,
    },
    {
      promise: 'what was delivered before is not our report',
      text: 'const ours = (sequence: number): boolean => sequence >= first && sequence <= last!',
      instead: 'const ours = (sequence: number): boolean => sequence <= last!',
      noticed: settled,
    },
    {
      promise: 'a report that will not be sent in time is told at once',
      text: "      if (now.nextSendAt !== undefined && now.nextSendAt > deadline) return 'late'\n",
      noticed: settled,
    },
  ],
  'src/facts/identity-secret.ts': [
    {
      promise: 'a Secret that is there is a success',
      text: "  if (answer.status === 409) return 'there already'\n",
      noticed: identity,
    },
    {
      promise: 'nobody changes the Secret by mistake',
      text: '    immutable: true,\n',
      noticed: identity,
    },
  ],
  'src/sidecar/pipeline.ts': [
    {
      promise: 'a sidecar that is no application makes no heartbeat',
      text: " || config.heartbeat === 'off'",
      noticed: { test: 'test/sidecar/heartbeat.test.ts', name: '^is not made where a setting' },
    },
  ],
  'src/cli/facts-manifest.ts': [
    {
      promise: 'nothing leaves the pod of the job before the time to look is over',
      text: "USAGE_HEARTBEAT: 'off' },",
      instead: '},',
      noticed: manifest('^beside the job'),
    },
    {
      promise: 'kubectl reads every value as the text that it is',
      text: "version: '1.1', ",
      noticed: manifest('^beside the job'),
    },
    {
      promise: 'two projects have rights of their own',
      text: "const metadata = kind === 'Role' ?",
      instead: "const metadata = account !== '' ?",
      noticed: manifest('^the rights of two projects'),
    },
  ],
  'src/cli/facts.ts': [
    {
      promise: 'the variables of the pod have no say in the report',
      text: "  host.forget('OTEL_')\n",
      noticed: road('^Spartakus'),
    },
    {
      promise: 'the report does not leave the pod unpoliced',
      text: "!isLoopback(url.hostname.replace(/^\\[|\\]$/g, ''))",
      instead: "url.hostname === ''",
      noticed: wrongFlags,
    },
    {
      promise: 'a name is no path',
      text: 'if (name !== undefined && !NAME.test(name))',
      instead: 'if (name === undefined && !NAME.test(flag))',
      noticed: wrongFlags,
    },
    {
      promise: 'each run begins at another moment',
      text: 'randomInt(0, startWithin + 1)',
      instead: '1_000',
      noticed: command('^the moment of the start'),
    },
    {
      promise: 'off makes no identity and asks nothing',
      text: '  if (!allowed()) {\n',
      instead: '  if (!allowed) {\n',
      noticed: command('^off asks nothing'),
    },
    {
      promise: 'annotations that cannot be read are off',
      text: '  const annotations = annotationsFile === undefined ? {} : { annotations: { text: textOf(annotationsFile) } }\n',
      instead:
        "  const annotations = annotationsFile === undefined ? {} : { annotations: { text: textOf(annotationsFile) ?? '' } }\n",
      noticed: command('^off asks nothing'),
    },
    {
      promise: 'an expired policy asks nothing',
      text: '  if (today > named.expires) {\n',
      instead: "  if (named.expires === '') {\n",
      noticed: command('^a policy that has expired'),
    },
  ],
}
