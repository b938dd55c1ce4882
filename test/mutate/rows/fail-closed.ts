// Promise 2: fail closed.
import type { Promised } from '../row.ts'

export const failClosed: Promised = {
  number: 2,
  title: 'Fail closed',
  rows: {
    'test/anonymize/anonymize.test.ts': {
      'span-field-once': {
        keeps: 'A span with a field that occurs twice is rejected.',
        change: 'delete',
        noticedBy: 'spans with bad ids',
      },
      'key-value-complete': {
        keeps: 'A KeyValue that is cut off gives no value.',
        change: 'delete',
        noticedBy: 'a value that decoders could read',
      },
      'version-utf8': {
        keeps: 'A version that is not UTF-8 is not sent.',
        change: { value: 'other' },
        noticedBy: 'version keeps',
      },
      'keep-utf8': {
        keeps: 'A kept text is UTF-8.',
        change: { value: 'encoded[0]' },
        noticedBy: 'a value that decoders',
      },
      'absent-for-absent-only': {
        keeps: '`absent` stands for an absent value only.',
        change: { value: 'applyAction(field, value) ?? field.absent' },
        noticedBy: 'a value that decoders',
      },
      'pseudonym-needs-secret': {
        keeps: 'Without a secret there are no pseudonyms.',
        change: { condition: false },
        noticedBy: 'pseudonyms need',
      },
    },
    'test/sidecar/pipeline-overlay.test.ts': {
      'unreadable-overlay-invalid': {
        keeps: 'An overlay that cannot be read makes the policy invalid.',
        change: { replace: 'policyOverlay === undefined', by: 'overlayText === undefined' },
        noticedBy: 'an overlay narrows',
        env: { USAGE_TEST_DEADLINE_MS: '9000' },
      },
    },
    'test/sidecar/pipeline-changes.test.ts': {
      'expired-policy-nothing-kept': {
        keeps: 'Under an expired policy nothing is kept.',
        change: { withoutOperand: 2 },
        noticedBy: 'drops and counts the queue, is logged',
        env: { USAGE_TEST_DEADLINE_MS: '9000' },
      },
      'invalid-policy-stops': {
        keeps: 'An invalid new policy stops reporting under the old one.',
        change: { value: 'digestInForce' },
        noticedBy: 'while the policy is invalid',
        env: { USAGE_TEST_DEADLINE_MS: '9000' },
      },
      'no-policy-nothing-kept': {
        keeps: 'Without a policy nothing is kept.',
        change: { withoutOperand: 1 },
        noticedBy: 'while the policy is invalid',
        env: { USAGE_TEST_DEADLINE_MS: '9000' },
      },
    },
    'test/anonymize/oracle.test.ts': {
      'keep-compares-whole': {
        keeps: 'A listed text is compared to its last byte.',
        change: 'delete',
        noticedBy: 'policy says: wide',
      },
    },
    'test/anonymize/rules.test.ts': {
      'omitted-values-counted': {
        keeps: 'Values that are left out are counted.',
        change: { condition: false },
        noticedBy: 'counts what a field drops',
      },
    },
    'test/anonymize/steps.test.ts': {
      'shape-named': {
        keeps: 'A text has one of the shapes that the policy names.',
        change: { replace: '!$1.some(', by: 'false && !$1.some(' },
        noticedBy: 'of several shapes',
      },
    },
    'test/policy/parse.test.ts': {
      'yaml-errors-count': {
        keeps: 'Every error of the YAML parser makes the policy invalid.',
        change: 'delete',
        noticedBy: 'refuses what makes YAML surprising',
      },
      'invalid-policy-refused': {
        keeps: 'A policy with one error is not used.',
        change: { withoutOperand: 2 },
        noticedBy: 'reports all errors at once',
      },
      'unknown-attribute-key': {
        keeps: 'An unknown key in an attribute is an error.',
        change: { condition: true },
        noticedBy: 'refuses {keep: [a], reason: Because., kepe',
      },
      'instance-id-hashed-only': {
        keeps: 'The instance id reaches pseudonyms and hashes only.',
        change: { condition: false },
        noticedBy: 'refuses {from: "fact:instance',
      },
    },
    'test/policy/rules.test.ts': {
      'unknown-policy-key': {
        keeps: 'An unknown key at the top of a policy is an error.',
        change: { condition: true },
        noticedBy: 'the head of a policy',
      },
      'times-day-by-default': {
        keeps: 'Times are cut to the day where the policy says nothing.',
        change: { replace: "'day'", by: "'minute'" },
        noticedBy: 'defaults to what reveals least',
      },
      'own-names-reserved': {
        keeps: 'A policy cannot define the attributes of the sidecar.',
        change: { replace: "$1 === 'usage' || $1.startsWith('usage.')", by: 'false' },
        noticedBy: 'outgoing names',
      },
    },
    'test/policy/overlay.test.ts': {
      'invalid-overlay-refused': {
        keeps: 'An overlay with an error is not used.',
        change: 'delete',
        noticedBy: 'every attempt to widen',
      },
      'overlay-adds-no-attribute': {
        keeps: 'An overlay adds no attribute.',
        change: { condition: false },
        noticedBy: 'every attempt to widen',
      },
      'overlay-no-finer': {
        keeps: 'An overlay makes ids, times, status and periods no finer.',
        change: { condition: false },
        noticedBy: 'every attempt to widen',
      },
      'overlay-keeps-action': {
        keeps: 'An overlay cannot change the action of an attribute.',
        change: { condition: false },
        noticedBy: 'every attempt to widen',
      },
      'overlay-values-subset': {
        keeps: 'An overlay keeps only values that the policy keeps.',
        change: { condition: false },
        noticedBy: 'every attempt to widen',
      },
      'overlay-drops-attribute': {
        keeps: 'An attribute that the overlay drops is not sent.',
        change: { value: 'undefined' },
        noticedBy: 'narrows values',
      },
      'overlay-value-becomes-else': {
        keeps: 'A value that the overlay does not list becomes `else`.',
        change: { replace: '!$1.includes($2)', by: 'false' },
        noticedBy: 'narrows values',
      },
    },
    'test/sidecar/pipeline-broken.test.ts': {
      'invalid-settings-off': {
        keeps: 'Invalid settings mean off.',
        change: { value: 'false' },
        noticedBy: 'logs all errors at once, and keeps',
        env: { USAGE_TEST_DEADLINE_MS: '9000' },
      },
    },
    'test/system/epochs.test.ts': {
      'no-policy-nothing-sent': {
        keeps: 'Without a valid policy nothing is sent.',
        change: { withoutOperand: 3 },
        noticedBy: 'sends only what was accepted',
      },
    },
  },
}
