// Generates deploy/injection.yaml: injection by the API server, in one file for `kubectl apply -f`,
// with the default policy.
import { readFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { DEFAULTS } from '../../src/inject/container.ts'
import { SETTINGS } from '../../src/support/settings.ts'
import { admissionPolicy, PROJECT } from './admission.ts'

/** Users replace this by the name of their project. */
export const PLACEHOLDER = 'my-project'

export function injectionFile(): string {
  const names = {
    project: PLACEHOLDER,
    name: `${PLACEHOLDER}.usage-sidecar.dev`,
    namespace: `${PLACEHOLDER}-usage`,
  }
  const policy = readFileSync(
    new URL('../../deploy/policies/default.yaml', import.meta.url),
    'utf8',
  )
  const parameters = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: names.name, namespace: names.namespace },
    data: {
      project: names.project,
      image: '',
      inject: 'enabled',
      ...DEFAULTS.settings,
      USAGE_ENDPOINT: 'https://usage.example.org',
      USAGE_POLICY_TEXT: policy,
    },
  }
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: names.namespace } },
    parameters,
    ...admissionPolicy(
      names,
      SETTINGS.map(({ name }) => name),
    ),
  ]
  return `${HEAD}${objects.map((object) => `---\n${stringify(object, { lineWidth: 0, version: '1.1' })}`).join('')}`
}

const HEAD = `# Injection of the sidecar by the API server of Kubernetes 1.36 or later; nothing runs for it. Made by npm run generate.
#
#   sed s/${PLACEHOLDER.replace('-', '[-]')}/acme/g deploy/injection.yaml > acme.yaml     # every name in it is the project's, so two never meet
#   (in acme.yaml, the ConfigMap: your image, your collector, your policy)
#   kubectl apply -f acme.yaml
#   kubectl annotate namespace shop ${PROJECT}=acme   # from now on new pods of this namespace have it
#
# Data of the ConfigMap: \`project\`; \`image\`; \`inject\`: what holds where neither pod nor namespace has the annotation
# usage-sidecar.dev/inject (\`enabled\`, or \`disabled\`, as any other word); each setting by its name (USAGE_…), among them
# the policy; \`configMap\`, \`factsConfigMap\`, \`identitySecret\`: names in the pod's own namespace, each of which may be
# missing; \`facts.json\`, which the facts job writes. Without the ConfigMap or an image pods are admitted as they were.
#
# To turn it off, set \`image\` to "" or \`USAGE_REPORTING\` to off; do not delete the binding to make it again later: from then on
# an API server (1.36.4, kubernetes#130887) goes by the ConfigMap as it was, until it is restarted. The Helm chart has no such trap.
`
