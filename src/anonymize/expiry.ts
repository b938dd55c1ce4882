// Attributes that the policy lets out until a certain UTC day only: after it they are as if the policy never named them.
import type { Field, Policy } from './policy.ts'

const NEVER = '9999-12-31'

/** The policy without the attributes whose last day is before `day`. */
export function policyOn(policy: Policy, day: string): Policy {
  const lasting = (fields: readonly Field[]): Field[] => fields.filter(({ expires }) => expires === undefined || expires >= day)
  return {
    ...policy,
    resource: lasting(policy.resource),
    spans: policy.spans.map((rule) => ({ ...rule, fields: lasting(rule.fields) })),
  }
}

/** The last day on which the policy is as it is; the day after it has an attribute less. */
export function lastDayOf({ resource, spans }: Policy): string {
  const days = [...resource, ...spans.flatMap(({ fields }) => fields)].map(({ expires }) => expires ?? NEVER)
  return days.sort()[0] ?? NEVER
}
