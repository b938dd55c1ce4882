// What an installation with easily guessed names tells its sidecar: the events that the shipped
// policies expect, of applications, executions, nodes and machines that are all in the attacker's
// dictionary.
import type { Event, Plain } from '../support/shipped-policy.ts'
import { applicationName, nodeName, sequentialId } from './dictionary.ts'

const OTHER_IDS = { 'node.machine_id': '', 'node.system_uuid': '' }

/** Events of one installation; `index` chooses the names. */
export function eventsOf(index: number): Event[] {
  const name = applicationName(index * 7919)
  const events: Record<string, Record<string, Plain>> = {
    execution: {
      'execution.id': sequentialId(index * 31),
      'execution.type': 'pipeline',
      'execution.status': 'succeeded',
      'execution.trigger': 'git',
      'application.name': name,
      'application.pipeline_count': 7,
      'instance.pipeline_count': 412,
      'deployment.method': name,
      'deployment.version': name,
      environment: name,
    },
    stage: {
      'stage.type': name,
      'stage.status': 'succeeded',
      'stage.cloud_providers': `aws,${name}`,
    },
    'k8s.cluster': {
      'cluster.id': name,
      'k8s.version': 'v1.31.4',
      'one_node.provider_id': `aws:///a/${nodeName(index)}`,
    },
    'k8s.node': {
      'node.name': nodeName(index),
      'node.provider_id': `gce://p/z/${nodeName(index)}`,
      'node.arch': 'amd64',
      ...OTHER_IDS,
    },
    kusk: { event: 'started', version: name },
    'kusk-cli': {
      event: `deploy ${name}`,
      version: '1.5.0',
      'machine.id': sequentialId(index * 17),
    },
    'kusk-api-server': { event: name },
  }
  return Object.entries(events).map(([span, attributes]) => ({ name: span, attributes }))
}
