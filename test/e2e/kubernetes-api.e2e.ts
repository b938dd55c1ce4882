// Starts the real Kubernetes API: etcd and kube-apiserver, without nodes and controllers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeNamespace, startApiServer } from './cluster/apiserver.ts'
import { KUBERNETES } from './cluster/binaries.ts'

test('the server is a release with MutatingAdmissionPolicy, RBAC and Pod Security', async (t) => {
  const api = await startApiServer(t)
  const { gitVersion } = JSON.parse(api.kubectl(['get', '--raw', '/version'])) as {
    gitVersion: string
  }
  assert.equal(gitVersion, `v${KUBERNETES}`)
  assert.match(
    api.kubectl(['api-resources', '--api-group=admissionregistration.k8s.io']),
    /^mutatingadmissionpolicies .*\/v1 /m,
  )
  makeNamespace(api, 'strict', { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } })
  const loose = api.tryKubectl([
    'run',
    'loose',
    '--image=localhost/any',
    '--namespace=strict',
    '--dry-run=server',
  ])
  assert.match(loose.stderr, /violates PodSecurity "restricted/)
  const denied = api.tryKubectl(['get', 'pods'], {
    kubeconfig: api.serviceAccount('strict', 'nobody'),
  })
  assert.match(denied.stderr, /forbidden: User "system:serviceaccount:strict:nobody"/)
})
