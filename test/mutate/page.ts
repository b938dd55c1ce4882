// Guards of the sidecar's own page and of `status`: who may look, what may not run, and that
// nothing is called well that is not.
import type { GuardTable, Witness } from './guard.ts'

const page = (name: string): Witness => ({ test: 'test/page/page.test.ts', name })
/** It waits for what is tried again after five seconds. */
const folder: Witness = {
  ...page('^a data folder that cannot'),
  env: { USAGE_TEST_DEADLINE_MS: '12000' },
}
const canary: Witness = {
  test: 'test/system/canary.test.ts',
  name: '^lets no secret out.* under a policy',
}

export const pageGuards: GuardTable = {
  'src/page/page.ts': [
    {
      promise: 'a name that some web site made lead to us gets nothing',
      text: 'if (!isLoopbackHost(request.headers.host)) send(',
      instead: 'if (request.headers.host === undefined) send(',
      noticed: page('^answers loopback'),
    },
    {
      promise: 'the name is the whole Host',
      text: '(:\\d{1,5})?$/i',
      instead: '(:\\d{1,5})?/i',
      noticed: page('^answers loopback'),
    },
    {
      promise: 'the page is only read',
      text: "request.method !== 'GET'",
      instead: 'request.method === undefined',
      noticed: page('^answers loopback'),
    },
    {
      promise: 'nothing of the page loads or runs',
      text: "    'content-security-policy': CONTENT_SECURITY_POLICY,\n",
      noticed: page('^lets no script'),
    },
    {
      promise: 'the page is what it says it is',
      text: "    'x-content-type-options': 'nosniff',\n",
      noticed: page('^lets no script'),
    },
    {
      promise: 'no browser keeps the page',
      text: "    'cache-control': 'no-store',\n",
      noticed: page('^lets no script'),
    },
    {
      promise: 'files have names of ours',
      text: '(\\d{12,15}\\.otlp(?:\\.gz)?)$/',
      instead: '(.+)$/',
      noticed: page('^opens files'),
    },
    {
      promise: 'a fault is told without its text',
      text: "} catch {\n        log.error('page: it could not be made')",
      instead: '} catch (error) {\n        log.error(String(error))',
      noticed: page('^tells of a fault'),
    },
    {
      promise: 'what was asked for is not repeated',
      text: "text(404, 'There is nothing here. The page is at /.')",
      instead: 'text(404, path)',
      noticed: canary,
    },
  ],
  'src/page/render.ts': [
    {
      promise: 'no text becomes a tag',
      text: 'text.replace(/[&<>"\']|',
      instead: 'text.replace(/',
      noticed: page('^lets no script'),
    },
    {
      promise: 'no text hides or turns another',
      text: '|\\p{Cf}/gu',
      instead: '/gu',
      noticed: page('^lets no script'),
    },
  ],
  'src/sidecar/status.ts': [
    {
      promise: 'a reader is shown the begin of a report',
      text: 'spans.slice(0, left)',
      instead: 'spans.slice(0, SHOWN_SPANS)',
      noticed: page('^shows the begin'),
    },
    {
      promise: 'a large report is decoded only when somebody asks for it',
      text: ', MAX_PREVIEW_BYTES))',
      instead: '))',
      noticed: page('^shows the begin'),
    },
    {
      promise: 'a collector that refuses is a problem',
      text: ", ...(decision.mode === 'on' ? refusal(sent[0]) : [])]",
      instead: ']',
      noticed: page('^a collector that is one that refuses'),
    },
  ],
  'src/sidecar/pipeline.ts': [
    {
      promise: 'a folder that cannot be used is a problem',
      text: '...(folder === undefined ? []',
      instead: '...(folder !== null ? []',
      noticed: folder,
    },
    {
      promise: 'spans that cannot be kept are a problem',
      text: '...(refusing\n',
      instead: '...(refusing && machine === undefined\n',
      noticed: page('^a queue that is full'),
    },
    {
      promise: 'a queue that has room again is no problem',
      text: '        refusing = false\n',
      noticed: page('^a queue that is full'),
    },
    {
      promise: 'a collector that is away is a problem',
      text: '...(failing ? ',
      instead: '...(failing && machine === undefined ? ',
      noticed: page('^a collector that is away'),
    },
  ],
  'src/sidecar/mode-controller.ts': [
    {
      promise: 'a problem that is over is none',
      text: '        problem = undefined\n',
      noticed: folder,
    },
  ],
  'src/cli/status.ts': [
    {
      promise: 'status says by its exit code that something is wrong',
      text: 'return view.problems.length === 0 ? EXIT.done : EXIT.failed',
      instead: 'return EXIT.done',
      noticed: page('^status prints'),
    },
  ],
  'src/queue/read-folder.ts': [
    {
      promise: 'no file is unpacked without end',
      text: 'if (request.length > most) return undefined\n',
      noticed: page('^shows the begin'),
    },
  ],
}
