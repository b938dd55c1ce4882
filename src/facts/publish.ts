// Lays the facts down for the sidecars: in one ConfigMap of the project that is there already, so
// that no right to make any is needed. Its annotation remembers since when reports are made under
// this policy, because each run of the job begins in an empty pod, and the first report has to wait
// for the time that the admin was given to look.
import type { Scalar } from '../policy/policy.ts'
import type { Answer, Cluster } from './cluster.ts'
import { whyNot } from './read.ts'

/** Key of the ConfigMap's data; injection mounts it as the file of this name. */
export const FACTS_KEY = 'facts.json'
/** `DIGEST TIME`. */
const SINCE = 'usage-sidecar.dev/policy-since'

export interface Publishing {
  configMap: string
  namespace: string
  facts: ReadonlyMap<string, Scalar>
  /** Of the policy that the job runs under. */
  digest: string
  now: number
}

/** Since when the policy is the one in force; or why nothing could be written. */
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
  // The first policy of all is in force since the ConfigMap is there; another one since now.
  const made = Date.parse(creationTimestamp ?? '')
  const policySince = known === '' && made <= now ? made : now
  const noted = await patch({
    metadata: { annotations: { [SINCE]: `${digest} ${new Date(policySince).toISOString()}` } },
  })
  return isGood(noted) ? { policySince } : refusal(noted)
}

const isGood = ({ status }: Answer): boolean => status >= 200 && status <= 299

/**
 * `refused`: it will be so tomorrow, too, until somebody gives the right or makes the ConfigMap.
 */
function refusal(answer: Answer): { why: string; refused: boolean } {
  const { status } = answer
  return {
    why: status === 404 ? 'there is no such ConfigMap' : whyNot(answer),
    refused: status >= 400 && status < 500,
  }
}
