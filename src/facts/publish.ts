// Publishes the facts in a ConfigMap of the project. The ConfigMap must exist, so the job needs no
// right to create one. Its annotation records when the policy came into force, because every run of
// the job starts in an empty pod.
import type { Scalar } from '../policy/policy.ts'
import type { Answer, Cluster } from './cluster.ts'
import { whyNot } from './read.ts'

/** Key in the ConfigMap's data. Injection mounts it as a file of this name. */
export const FACTS_KEY = 'facts.json'
/** `DIGEST TIME`. */
const SINCE = 'usage-sidecar.dev/policy-since'

export interface Publishing {
  configMap: string
  namespace: string
  facts: ReadonlyMap<string, Scalar>
  /** Digest of the policy that the job runs under. */
  digest: string
  now: number
}

/** When the policy came into force, or why nothing was written. */
export type Published = { policySince: number } | { why: string; refused: boolean }

interface ConfigMap {
  metadata?: { creationTimestamp?: string; annotations?: Record<string, string> }
}

export async function publish(
  cluster: Cluster,
  { configMap, namespace, facts, digest, now }: Publishing,
): Promise<Published> {
  const patch = (json: object): Promise<Answer> =>
    cluster.ask({
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}/configmaps/${configMap}?fieldManager=usage-sidecar-facts`,
      body: { type: 'application/merge-patch+json', json },
    })
  const answer = await patch({ data: { [FACTS_KEY]: JSON.stringify(Object.fromEntries(facts)) } })
  if (!isGood(answer)) return refusal(answer)
  const { annotations, creationTimestamp } = (answer.body as ConfigMap).metadata ?? {}
  const [known, time] = (annotations?.[SINCE] ?? '').split(' ')
  const since = Date.parse(time ?? '')
  if (known === digest && since <= now) return { policySince: since }
  // The first policy counts from the creation of the ConfigMap, a later one from now.
  const made = Date.parse(creationTimestamp ?? '')
  const policySince = known === '' && made <= now ? made : now
  const noted = await patch({
    metadata: { annotations: { [SINCE]: `${digest} ${new Date(policySince).toISOString()}` } },
  })
  return isGood(noted) ? { policySince } : refusal(noted)
}

const isGood = ({ status }: Answer): boolean => status >= 200 && status <= 299

/** `refused`: retrying does not help until someone grants the right or creates the ConfigMap. */
function refusal(answer: Answer): { why: string; refused: boolean } {
  const { status } = answer
  return {
    why: status === 404 ? 'the ConfigMap does not exist' : whyNot(answer),
    refused: status >= 400 && status < 500,
  }
}
