// All rows, by promise.

import type { PlacedRow, Promised } from './row.ts'
import { bounded } from './rows/bounded.ts'
import { budget } from './rows/budget.ts'
import { constructed } from './rows/construct.ts'
import { days } from './rows/days.ts'
import { documentation } from './rows/documentation.ts'
import { failClosed } from './rows/fail-closed.ts'
import { host } from './rows/host.ts'
import { rawData } from './rows/raw-data.ts'
import { receipts } from './rows/receipts.ts'
import { settled } from './rows/settled.ts'
import { silent } from './rows/silent.ts'

export const promises: readonly Promised[] = [
  constructed,
  failClosed,
  rawData,
  settled,
  receipts,
  silent,
  bounded,
  host,
  documentation,
  days,
  budget,
]

export const rows: readonly PlacedRow[] = promises.flatMap((promise) =>
  Object.entries(promise.rows).flatMap(([test, those]) =>
    Object.entries(those).map(([id, row]) => ({ id, promise: promise.number, test, ...row })),
  ),
)
