// All guards, by room.
import { accept } from './accept.ts'
import { acceptGrpc } from './accept-grpc.ts'
import { acceptHostile } from './accept-hostile.ts'
import { anonymizeIn } from './anonymize-in.ts'
import { anonymizeOut } from './anonymize-out.ts'
import { anonymizeValues } from './anonymize-values.ts'
import { consent } from './consent.ts'
import { delivery } from './delivery.ts'
import { factsGuards } from './facts.ts'
import { ground } from './ground.ts'
import type { GuardTable } from './guard.ts'
import { injectGuards } from './inject.ts'
import { language } from './language.ts'
import { languageChecks } from './language-checks.ts'
import { memoryGuards } from './memory.ts'
import { modesGuards } from './modes.ts'
import { otlp } from './otlp.ts'
import { otlpJson } from './otlp-json.ts'
import { overlayGuards } from './overlay.ts'
import { pageGuards } from './page.ts'
import { policyGuards } from './policy.ts'
import { policyFields } from './policy-fields.ts'
import { queueDisk } from './queue-disk.ts'
import { queueDoor } from './queue-door.ts'
import { queueIn } from './queue-in.ts'
import { queueMemory } from './queue-memory.ts'
import { road } from './road.ts'
import { sendGuards } from './send.ts'
import { postGuards } from './send-post.ts'
import { sheetGuards } from './sheet.ts'

export const guards: readonly GuardTable[] = [
  accept,
  acceptHostile,
  acceptGrpc,
  anonymizeIn,
  anonymizeValues,
  anonymizeOut,
  overlayGuards,
  consent,
  modesGuards,
  policyGuards,
  policyFields,
  language,
  languageChecks,
  otlp,
  otlpJson,
  queueIn,
  queueDoor,
  queueDisk,
  queueMemory,
  road,
  sendGuards,
  postGuards,
  sheetGuards,
  ground,
  memoryGuards,
  pageGuards,
  delivery,
  factsGuards,
  injectGuards,
]
