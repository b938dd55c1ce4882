// Creates the Secret that holds the identity of an installation. It only creates and never reads or
// replaces. The API server lets one of several creators succeed, so replicas and repeated Jobs
// share one identity.
import type { Cluster } from './cluster.ts'
import { whyNot } from './read.ts'

export interface NewSecret {
  name: string
  namespace: string
  /** File contents by name, as the sidecar finds them in USAGE_IDENTITY_DIR. */
  files: Readonly<Record<string, string>>
}

export type Made = 'made' | 'there already' | { why: string }

export async function makeIdentitySecret(
  cluster: Cluster,
  { name, namespace, files }: NewSecret,
): Promise<Made> {
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    // The Secret exists. To get another identity, delete it.
    immutable: true,
    metadata: { name, labels: { 'app.kubernetes.io/managed-by': 'usage-sidecar' } },
    stringData: files,
  }
  const path = `/api/v1/namespaces/${namespace}/secrets?fieldManager=usage-sidecar-facts`
  const answer = await cluster.ask({
    method: 'POST',
    path,
    body: { type: 'application/json', json: secret },
  })
  if (answer.status === 409) return 'there already'
  if (answer.status === 404) return { why: 'the namespace does not exist' }
  return answer.status >= 200 && answer.status <= 299 ? 'made' : { why: whyNot(answer) }
}
