// All guards, by room.
import type { GuardTable } from './guard.ts'
import { queueDisk } from './queue-disk.ts'
import { queueDoor } from './queue-door.ts'
import { queueIn } from './queue-in.ts'
import { queueMemory } from './queue-memory.ts'

export const guards: readonly GuardTable[] = [queueIn, queueDoor, queueDisk, queueMemory]
