// How many cases the tests with random or enumerated input try, and from which seed. `npm test`
// tries few, the same each time; `npm run test:long` and `npm run nightly` try many. They say so
// with USAGE_TEST_COUNTS. USAGE_TEST_SEED repeats a run.
const SIZES = ['short', 'long', 'nightly'] as const
type Size = (typeof SIZES)[number]

/** The number of cases for each size, in the order of SIZES. */
const COUNTS = {
  requestsOfOracle: [4_000, 100_000, 100_000],
  requestsCutOff: [30, 200, 200],
  requestsInJson: [3_000, 20_000, 20_000],
  requestPairs: [4_000, 100_000, 100_000],
  fuzzOfProtobuf: [3_000, 60_000, 60_000],
  fuzzOfJson: [6_000, 200_000, 200_000],
  fuzzOfConnections: [300, 1_500, 200_000],
  secrets: [3_000, 50_000, 1_000_000],
  overlays: [300, 1_500, 1_500],
  factPolicies: [200, 1_000, 1_000],
  manifests: [8, 60, 60],
  consentRuns: [100, 400, 20_000],
  stepOfDamage: [6, 1, 1],
  lossesInQueue: [6, 64, 1_000],
  lossesInQueueLater: [2, 12, 12],
  lossesInSender: [3, 24, 1_000],
  stepOfFailure: [4, 1, 1],
  kills: [4, 20, 20],
} satisfies Record<string, readonly [short: number, long: number, nightly: number]>

const size = (process.env.USAGE_TEST_COUNTS ?? 'short') as Size
if (!SIZES.includes(size))
  throw new Error(`USAGE_TEST_COUNTS must be one of ${SIZES.join(', ')}, not ${size}.`)

/** The number of cases of this kind to try. */
export const countOf = (kind: keyof typeof COUNTS): number => COUNTS[kind][SIZES.indexOf(size)]!

/** Whether this run tries few cases, so that everybody can run it often. */
export const IS_SHORT = size === 'short'

/** The seed of this run. */
export const SEED = Number(process.env.USAGE_TEST_SEED ?? (IS_SHORT ? 7 : Date.now() % 0x7fffffff))
