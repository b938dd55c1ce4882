// All guards, by room.
import type { GuardTable } from './guard.ts'
import { otlp } from './otlp.ts'
import { otlpJson } from './otlp-json.ts'
import { queueDisk } from './queue-disk.ts'
import { queueDoor } from './queue-door.ts'
import { queueIn } from './queue-in.ts'
import { queueMemory } from './queue-memory.ts'

export const guards: readonly GuardTable[] = [otlp, otlpJson, queueIn, queueDoor, queueDisk, queueMemory]
