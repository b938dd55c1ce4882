// Promise 1: construct, never mutate.
import type { Promised } from '../row.ts'

export const constructed: Promised = {
  number: 1,
  title: 'Construct, never mutate',
  rows: {
    'test/anonymize/malformed.test.ts': {
      'span-without-earlier-ids': {
        keeps: 'A span never carries the ids or times of the span before it.',
        change: 'delete',
        noticedBy: 'a span has nothing of the one before',
      },
    },
    'test/anonymize/oracle.test.ts': {
      'span-without-earlier-values': {
        keeps: 'A span never carries the attribute values of the span before it.',
        change: 'delete',
        noticedBy: 'policy says: kinds',
      },
    },
    'test/anonymize/sources.test.ts': {
      'resource-without-earlier-values': {
        keeps: 'A resource never carries the values of the resource before it.',
        change: 'delete',
        noticedBy: 'reads the resource at any position',
      },
    },
    'test/anonymize/anonymize.test.ts': {
      'ids-linked-by-policy-only': {
        keeps: 'Ids are linked only where the policy says so.',
        change: { condition: true },
        noticedBy: 'linked ids',
      },
      'only-drops-spans': {
        keeps: 'A span that `only` excludes does not leave.',
        change: { condition: false },
        noticedBy: 'only and skip',
      },
      'times-cut': {
        keeps: 'Times are cut to the unit of the policy.',
        change: { value: 'time' },
        noticedBy: 'times are cut',
      },
      'end-equals-start': {
        keeps: 'The end of a span equals its start, so no duration leaves.',
        change: 'delete',
        noticedBy: 'times are cut',
      },
      'skip-drops-spans': {
        keeps: 'A span that `skip` names does not leave.',
        change: { condition: false },
        noticedBy: 'only and skip',
      },
    },
    'test/anonymize/rules.test.ts': {
      'status-by-policy-only': {
        keeps: 'The status leaves only where the policy keeps it.',
        change: { withoutOperand: 1 },
        noticedBy: 'a status that is an attribute',
      },
    },
    'test/anonymize/days.test.ts': {
      'expired-attribute-dropped': {
        keeps: 'An attribute that expired is not sent.',
        change: 'delete',
        noticedBy: 'an attribute is gone',
      },
      'expired-resource-attribute-dropped': {
        keeps: 'A resource attribute that expired is not sent.',
        change: 'delete',
        noticedBy: 'an attribute of the resource',
      },
      'own-span-own-resource': {
        keeps: 'The heartbeat never carries the resource of an application.',
        change: 'delete',
        noticedBy: 'the sidecar’s own span has',
      },
    },
    'test/sidecar/pipeline.test.ts': {
      'unknown-digest-custom': {
        keeps: 'A policy that was not shipped is reported as `custom`.',
        change: { condition: true },
        noticedBy: 'reports what the policy names in',
      },
    },
    'test/anonymize/narrow-facts.test.ts': {
      'facts-by-policy-only': {
        keeps: 'The facts job publishes no fact that the policy does not name.',
        change: { replace: 'factsNamed(policy)', by: '[...facts.keys()]' },
        noticedBy: 'facts become what the policy makes',
      },
    },
    'test/send/post.test.ts': {
      'no-finer-version': {
        keeps: 'The User-Agent header names no exact version.',
        change: { value: "'usage-sidecar/0.1.0'" },
        noticedBy: 'a request has exactly',
      },
    },
  },
}
