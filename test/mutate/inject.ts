// Guards of injection: who is left alone, what the container must not do to its pod, and that text
// comes back as it was. What the admission policy says is compared with this on a real API server,
// in test/e2e/injection.e2e.ts.
import type { GuardTable, Witness } from './guard.ts'

const text = (name: string): Witness => ({ test: 'test/inject/inject.test.ts', name })
const any: Witness = {
  test: 'test/inject/inject.test.ts',
  name: '^every manifest',
  env: { SEED: '1', RUNS: '40' },
}
const corpus = (name: string): Witness => ({ test: 'test/inject/corpus.test.ts', name })
const container = (name: string): Witness => ({ test: 'test/inject/container.test.ts', name })
const apply = (name: string): Witness => ({ test: 'test/inject/apply.test.ts', name })
const qos = (name: string): Witness => ({ test: 'test/inject/qos.test.ts', name })
const cli = (name: string): Witness => ({ test: 'test/cli/inject.test.ts', name })

export const injectGuards: GuardTable = {
  'src/inject/decide.ts': [
    {
      promise: 'a pod that has the sidecar does not get another',
      text: 'if (all.some(({ name }) => name === CONTAINER))',
      instead: 'if (all.length === 0)',
      noticed: corpus('^has-one'),
    },
    {
      promise: 'the namespace’s label is not overridden',
      text: "if (label !== undefined && label !== 'enabled')",
      instead: "if (label === 'other')",
      noticed: corpus('^namespace-label '),
    },
    {
      promise: 'a label that is none of our words is no',
      text: "label !== undefined && label !== 'enabled'",
      instead: "label === 'disabled'",
      noticed: corpus('^namespace-label-unknown'),
    },
    {
      promise: 'disabled is no',
      text: "if (said?.word === 'disabled')",
      instead: 'if (said === null)',
      noticed: text('a pod that says no'),
    },
    {
      promise: 'a word that is none of ours is no',
      text: "if (said !== undefined && said.word !== 'enabled')",
      instead: 'if (said === null)',
      noticed: corpus('^pod-word-unknown'),
    },
    {
      promise: 'a workload that says no is heard',
      text: "workload?.annotations?.[INJECT] === 'enabled' ? undefined : workload?.annotations?.[INJECT]",
      instead: 'undefined',
      noticed: text('a Deployment that says no'),
    },
    {
      promise: 'hostNetwork is left alone',
      text: '(spec.hostNetwork ?? false) !== false',
      instead: 'spec.hostNetwork === null',
      noticed: corpus('^host-network'),
    },
    {
      promise: 'Windows is left alone',
      text: "(spec.os?.name ?? 'linux') !== 'linux' ||",
      noticed: corpus('^windows is'),
    },
    {
      promise: 'nodes with Windows are left alone',
      text: "|| (spec.nodeSelector?.['kubernetes.io/os'] ?? 'linux') !== 'linux'",
      noticed: corpus('^windows-nodes'),
    },
    {
      promise: 'mirrors are left alone',
      text: "if ('kubernetes.io/config.mirror' in annotations)",
      instead: "if ('' in annotations)",
      noticed: corpus('^mirror'),
    },
    {
      promise: 'no two volumes of one name',
      text: 'if (spec.volumes?.some(({ name }) =>',
      instead: 'if ([].some((name: unknown) =>',
      noticed: corpus('^volume-name'),
    },
    {
      promise: 'no port of ours is taken',
      text: 'OURS.includes(containerPort)',
      instead: 'OURS.length === 0',
      noticed: corpus('^port'),
    },
    {
      promise: 'DO_NOT_TRACK goes over',
      text: 'all.some(({ env }) => env?.some(asksNotToTrack))',
      instead: 'false',
      noticed: apply('^DO_NOT_TRACK'),
    },
    {
      promise: 'a DO_NOT_TRACK that nobody knows is one',
      text: '(valueFrom !== undefined && valueFrom !== null) ||',
      noticed: apply('^DO_NOT_TRACK'),
    },
    {
      promise: 'the namespace lowers reporting',
      text: '...(said === undefined ? {} : { atMost: textOf(said) }),',
      noticed: text('can only lower'),
    },
  ],
  'src/inject/mesh.ts': [
    {
      promise: 'a pod of a mesh is left alone',
      text: 'return isIn && !isLeft',
      instead: 'return isLeft && !isIn',
      noticed: corpus('^istio is'),
    },
    {
      promise: 'the namespace puts its pods into a mesh',
      text: 'said === undefined ? ofNamespace :',
      instead: 'said === undefined ? false :',
      noticed: corpus('^istio-revision'),
    },
    {
      promise: 'another port is not ours',
      text: 'port.trim() === String(PORTS.health)',
      instead: 'port.includes(String(PORTS.health))',
      noticed: corpus('^istio-other-port'),
    },
  ],
  'src/inject/qos.ts': [
    {
      promise: 'init containers and limits count',
      text: 'KINDS.every((kind) => isZero(requests[kind]) && isZero(limits[kind]))',
      instead: 'KINDS.every((kind) => isZero(requests[kind]))',
      noticed: qos('^every class'),
    },
    {
      promise: 'a limit is a request',
      text: '{ ...resources?.limits, ...resources?.requests }',
      instead: '{ ...resources?.requests }',
      noticed: qos('^every class'),
    },
    {
      promise: 'resources of the pod are seen',
      text: "if (spec.resources !== undefined && spec.resources !== null) return 'podLevel'\n",
      noticed: qos('^every class'),
    },
  ],
  'src/inject/container.ts': [
    {
      promise: 'a namespace cannot raise',
      text: 'Math.min(rank(setting), rank(atMost))',
      instead: 'rank(atMost)',
      noticed: text('can only lower'),
    },
    {
      promise: 'a word of a namespace that is none of ours is off',
      text: 'Math.max(0, REPORTING_WORDS',
      instead: 'Math.max(1, REPORTING_WORDS',
      noticed: text('can only lower'),
    },
    {
      promise: 'settings do not move the doors',
      text: '    ...FIXED_SETTINGS,\n    ...(doNotTrack',
      instead: '    ...(doNotTrack',
      noticed: apply('^settings never win'),
    },
    {
      promise: 'a sidecar without a limit limits itself',
      text: '...(RESOURCES[qos].limits === undefined ? UNLIMITED_SETTINGS : {}),',
      noticed: apply('^a sidecar without'),
    },
    {
      promise: 'variables are not replaced in texts',
      text: "value.replaceAll('$', '$$$$')",
      instead: 'value',
      noticed: apply('^texts of the environment'),
    },
    {
      promise: 'it is a native sidecar',
      text: "    restartPolicy: 'Always',\n",
      instead: "    restartPolicy: 'Never',\n",
      noticed: container('^it is a native'),
    },
    {
      promise: 'the policy may be missing',
      text: 'configMap: { name: configMap, optional: true }',
      instead: 'configMap: { name: configMap, optional: false as unknown as true }',
      noticed: container('^whatever is missing'),
    },
    {
      promise: 'the identity may be missing',
      text: 'secret: { secretName: identitySecret, optional: true }',
      instead: 'secret: { secretName: identitySecret, optional: false as unknown as true }',
      noticed: container('^whatever is missing'),
    },
    {
      promise: 'no token',
      text: "mountPath: '/var/run/secrets/kubernetes.io/serviceaccount'",
      instead: "mountPath: '/none'",
      noticed: container('^it cannot read'),
    },
    { promise: 'not root', text: '      runAsNonRoot: true,\n', noticed: container('^it passes') },
    {
      promise: 'a read-only root',
      text: '      readOnlyRootFilesystem: true,\n',
      noticed: container('^it passes'),
    },
    {
      promise: 'a limit of storage of its own where the pod is held to the sum',
      text: '...(traits.limitsStorage ? STORAGE_LIMIT : {})',
      noticed: qos('^a pod that is held'),
    },
  ],
  'src/inject/apply.ts': [
    {
      promise: 'an endpoint of the application’s own stays',
      text: 'has(container, APP_ENV.name) ? [] : [APP_ENV]',
      instead: '[APP_ENV]',
      noticed: apply('^a variable of the application'),
    },
    {
      promise: 'telemetry is redirected only where it is asked for',
      text: 'otel && mayHaveOtel(container)',
      instead: 'mayHaveOtel(container)',
      noticed: apply('^the application’s telemetry'),
    },
    {
      promise: 'envFrom may hold an endpoint',
      text: '(envFrom?.length ?? 0) === 0 &&',
      noticed: apply('^the application’s telemetry'),
    },
    {
      promise: 'an exporter that is set up stays',
      text: "startsWith('OTEL_EXPORTER_OTLP_')",
      instead: "startsWith('OTEL_EXPORTER_OTLP_ENDPOINT')",
      noticed: apply('^the application’s telemetry'),
    },
  ],
  'src/inject/inject.ts': [
    {
      promise: 'what cannot be given back is not done',
      text: 'return cutOut(changed, targets) === text ? changed : undefined',
      instead: 'return changed',
      noticed: text('our variable is there already'),
    },
    {
      promise: 'every document is what was meant',
      text: 'if (!isDeepStrictEqual(valuesIn(changed), meant(text, some))) return undefined\n',
      noticed: text('an alias repeats'),
    },
    {
      promise: 'taking out touches nothing else',
      text: 'isDeepStrictEqual(dense(valuesIn(changed)), dense(meant(text, some))) ? changed : undefined',
      instead: 'changed',
      noticed: text('leaves alone what it cannot take out'),
    },
  ],
  'src/inject/insert.ts': [
    {
      promise: 'line ends are the document’s',
      text: "this.#text[at] === '\\r'",
      instead: "this.#text[at] === '\\f'",
      noticed: any,
    },
    {
      promise: 'what Kubernetes would not read as text is quoted',
      text: "version: '1.1', lineWidth",
      instead: 'lineWidth',
      noticed: text('quotes what'),
    },
  ],
  'src/inject/cut.ts': [
    {
      promise: 'a key that was there and empty stays',
      text: ').endsWith(MARK)',
      instead: ').length >= 0',
      noticed: any,
    },
  ],
  'src/inject/find.ts': [
    {
      promise: 'kinds of other groups are left alone',
      text: "apiVersion.includes('/') ? apiVersion.replace(/\\/.*/s, '') : ''",
      instead:
        "kind === 'Pod' || kind === 'ReplicationController' ? '' : kind.includes('Job') ? 'batch' : 'apps'",
      noticed: text('another group'),
    },
  ],
  'src/cli/inject.ts': [
    {
      promise: 'what failed is told',
      text: 'if (line.failed || flags.explain !== undefined)',
      instead: 'if (flags.explain !== undefined)',
      noticed: cli('^what cannot be done'),
    },
    {
      promise: 'wrong settings are told before',
      text: 'if (mistakes.length + wrong.length > 0)',
      instead: 'if (mistakes.length > 99)',
      noticed: cli('^settings are flags'),
    },
    {
      promise: 'the bytes are text',
      text: 'fatal: true, ignoreBOM: true',
      instead: 'ignoreBOM: true',
      noticed: cli('^it is used wrongly'),
    },
  ],
}
