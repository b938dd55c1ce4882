// Expiry of a policy and of its attributes, by UTC day. An expired attribute is treated as if the
// policy never named it.
import type { Field, Policy } from './policy.ts'

const NEVER = '9999-12-31'

/** Why nothing is kept or sent under the policy on `day`; `undefined` where it has not expired. */
export const expiredOn = ({ expires }: Policy, day: string): string | undefined =>
  day > expires
    ? `It expired on ${expires}. Use a policy with a later day in \`expires\`.`
    : undefined

/** The policy without the attributes whose last day is before `day`. */
export function policyOn(policy: Policy, day: string): Policy {
  const lasting = (fields: readonly Field[]): Field[] =>
    fields.filter(({ expires }) => expires === undefined || expires >= day)
  return {
    ...policy,
    resource: lasting(policy.resource),
    spans: policy.spans.map((rule) => ({ ...rule, fields: lasting(rule.fields) })),
  }
}

/** The last day on which the policy is as it is; the day after it has an attribute less. */
export function lastDayOf({ resource, spans }: Policy): string {
  const days = [...resource, ...spans.flatMap(({ fields }) => fields)].map(
    ({ expires }) => expires ?? NEVER,
  )
  return days.sort()[0] ?? NEVER
}
