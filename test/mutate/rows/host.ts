// Promise 8: the sidecar never hurts its host.
import type { Promised } from '../row.ts'

export const host: Promised = {
  number: 8,
  title: 'The sidecar never hurts its host',
  rows: {
    'test/inject/corpus.test.ts': {
      'one-sidecar': {
        keeps: 'A pod that has the sidecar gets no second one.',
        change: { condition: false },
        noticedBy: 'has-one',
      },
      'inject-host-network': {
        keeps: "A pod on the host's network is left alone.",
        change: { condition: false },
        noticedBy: 'host-network is not injected',
      },
      'inject-ports': {
        keeps: 'Injection never uses a port of the pod.',
        change: { condition: false },
        noticedBy: 'port',
      },
      'inject-mesh': {
        keeps: 'A pod of a service mesh is left alone.',
        change: { value: 'false' },
        noticedBy: 'istio is not injected',
      },
    },
    'test/inject/inject.test.ts': {
      'inject-disabled': {
        keeps: 'A pod that disables injection is left alone.',
        change: { condition: false },
        noticedBy: 'a pod that says no',
      },
      'inject-namespace-lowers': {
        keeps: 'A namespace can only lower the mode.',
        change: { argument: 2 },
        noticedBy: 'can only lower',
      },
      'inject-reversible': {
        keeps: 'Injection does nothing that it cannot undo.',
        change: { value: 'changed' },
        noticedBy: 'our variable is there already',
      },
      'uninject-exact': {
        keeps: 'Removing the sidecar changes nothing else in a manifest.',
        change: { value: 'changed' },
        noticedBy: 'leaves alone what it cannot take out',
      },
    },
    'test/inject/container.test.ts': {
      'inject-policy-optional': {
        keeps: 'The pod starts without the policy.',
        change: { replace: 'optional: true', by: 'optional: false' },
        noticedBy: 'whatever is missing',
      },
    },
    'test/inject/apply.test.ts': {
      'inject-endpoint-kept': {
        keeps: 'The endpoint of the application stays.',
        change: { condition: false },
        noticedBy: 'a variable of the application',
      },
    },
  },
}
