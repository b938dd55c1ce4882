// A FAKE of the few paths of the Kubernetes API that the facts job asks for, for tests that need no
// cluster: it knows rights, pages and the shape of answers, and notes every question. What the real
// kube-apiserver does with the same job is shown by test/e2e/facts.e2e.ts.
import type { Answer, Cluster, Question } from '../../src/facts/cluster.ts'

export interface FakeNode {
  name: string
  labels?: Record<string, string>
  providerId?: string
  info?: Record<string, string>
  capacity?: Record<string, string>
}

export interface Fake extends Cluster {
  /** `GET /version` and so on, in their order. */
  asked: string[]
  questions: Question[]
  /** The ConfigMap that the job may write. */
  configMap: {
    data: Record<string, string>
    metadata: { creationTimestamp: string; annotations: Record<string, string> }
  }
  /** Set by a test: what a question is answered instead. */
  answer: (question: Question) => number | undefined
}

export interface FakeOptions {
  version?: string
  nodes?: readonly FakeNode[]
  /** Number of objects by `PLURAL.GROUP`. */
  objects?: Record<string, number>
  openshift?: boolean
  created?: string
}

/** The node of the published vector V11, and how a kubelet describes it. */
export const WORKER: FakeNode = {
  name: 'worker-1',
  labels: { 'kubernetes.io/hostname': 'worker-1' },
  providerId: 'aws:///us-west-2a/i-0123456789abcdef0',
  info: {
    machineID: '0123456789abcdef0123456789abcdef',
    systemUUID: '6F9619FF-8B86-D011-B42D-00C04FC964FF',
    bootID: 'boot-CANARY',
    operatingSystem: 'linux',
    osImage: 'Debian GNU/Linux 12 (bookworm)',
    kernelVersion: '6.1.0-26-amd64',
    architecture: 'amd64',
    containerRuntimeVersion: 'containerd://1.7.22',
    kubeletVersion: 'v1.31.4-eks-a1b2c3',
    kubeProxyVersion: 'v1.31.4',
  },
  capacity: { cpu: '3920m', memory: '16Gi', pods: '110', 'ephemeral-storage': '95551679124' },
}

const nodeJson = ({
  name,
  labels = {},
  providerId = '',
  info = {},
  capacity = {},
}: FakeNode): object => ({
  metadata: { name, labels, annotations: { 'example.com/secret': 'annotation-CANARY' } },
  spec: { providerID: providerId, podCIDR: '10.9.8.0/24' },
  status: {
    nodeInfo: info,
    capacity,
    addresses: [{ type: 'InternalIP', address: '10.1.2.3' }],
    images: [{ names: ['image-CANARY'] }],
  },
})

export function fakeCluster(options: FakeOptions = {}): Fake {
  const {
    version = 'v1.31.4',
    nodes = [WORKER],
    objects = {},
    openshift = false,
    created = '2026-01-01T00:00:00Z',
  } = options
  const fake: Fake = {
    namespace: 'apps',
    asked: [],
    questions: [],
    configMap: { data: {}, metadata: { creationTimestamp: created, annotations: {} } },
    answer: () => undefined,
    ask: (question) => {
      fake.questions.push(question)
      fake.asked.push(`${question.method} ${question.path}`)
      const instead = fake.answer(question)
      return Promise.resolve(
        instead === undefined ? answered(question) : { status: instead, body: undefined },
      )
    },
    close: () => Promise.resolve(),
  }

  /** As the server pages: it says how many are left. */
  const listed = (items: readonly object[], query: URLSearchParams): Answer => {
    const from = Number(query.get('continue') ?? 0)
    const to = from + Number(query.get('limit') ?? items.length)
    const rest = items.length - to
    return good({
      metadata: rest > 0 ? { continue: String(to), remainingItemCount: rest } : {},
      items: items.slice(from, to),
    })
  }
  const good = (body: unknown): Answer => ({ status: 200, body })
  const none: Answer = { status: 404, body: undefined }

  const answered = ({ method, path, accept, body }: Question): Answer => {
    const { pathname, searchParams } = new URL(path, 'https://cluster')
    const metadataOnly = accept?.includes('PartialObjectMetadataList') === true
    if (pathname === '/version') return good({ gitVersion: version, platform: 'linux/amd64' })
    if (pathname === '/apis/config.openshift.io') return openshift ? good({}) : none
    if (pathname === '/api/v1/nodes') {
      const all = nodes.map(nodeJson) as { metadata: object }[]
      return listed(metadataOnly ? all.map(({ metadata }) => ({ metadata })) : all, searchParams)
    }
    const [, group, listVersion, plural] =
      /^\/apis\/([^/]+)(?:\/([^/]+)\/([^/]+))?$/.exec(pathname) ?? []
    if (group !== undefined && listVersion === undefined) {
      const known = Object.keys(objects).some((name) => name.endsWith(`.${group}`))
      return known
        ? good({ preferredVersion: { groupVersion: `${group}/v1`, version: 'v1' } })
        : none
    }
    const count = objects[`${plural}.${group}`]
    if (count !== undefined)
      return listed(
        Array.from({ length: count }, () => ({ metadata: { name: 'object-CANARY' } })),
        searchParams,
      )
    if (
      method === 'PATCH' &&
      pathname === '/api/v1/namespaces/apps/configmaps/usage-sidecar-facts'
    ) {
      const { data, metadata } = body!.json as {
        data?: Record<string, string>
        metadata?: { annotations: Record<string, string> }
      }
      Object.assign(fake.configMap.data, data)
      Object.assign(fake.configMap.metadata.annotations, metadata?.annotations)
      return good(structuredClone(fake.configMap))
    }
    return none
  }
  return fake
}
