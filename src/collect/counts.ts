// Queries the store for the page and counts.json: projects, days, span names, and how often each
// value of an attribute occurs. Every list is limited, because senders choose the names. A section
// is a span name, or the facts of the resource (the empty name), which count once for each batch.
import type { Store } from './store.ts'

const MAX_PROJECTS = 100
const MAX_NAMES = 30
const MAX_KEYS = 64
const MAX_VALUES = 20
/** Charts show this many last days. */
export const MAX_DAYS = 60
/** More values than this that all look like pseudonyms are counted, not listed. */
const LISTED_PSEUDONYMS = 3

export interface Project {
  name: string
  batches: number
  spans: number
}

export interface DayCount {
  /** `2026-11-24`, UTC. */
  day: string
  count: number
}

export interface AttributeCount {
  key: string
  /** The spans (or batches) that have the attribute. */
  total: number
  distinct: number
  /** All values are numbers. They are mostly bucket bounds, so the page shows them in order. */
  numbers: boolean
  values: { value: string; count: number }[]
  /** For pseudonyms: how many different ones each day has. */
  pseudonyms: DayCount[] | undefined
}

export interface Section {
  name: string
  count: number
  attributes: AttributeCount[]
}

export interface Report extends Project {
  days: DayCount[]
  /** The number of days with spans, including those before `days`. */
  dayCount: number
  firstDay: string
  lastDay: string
  sections: Section[]
  moreNames: number
  facts: AttributeCount[]
}

/** Projects with the most spans first. */
export async function countProjects(store: Store): Promise<Project[]> {
  const rows = await store.read(
    `SELECT project, count(*) AS batches, sum(spans)::BIGINT AS spans FROM batches
     JOIN (SELECT batch, count(*) AS spans FROM spans GROUP BY batch) ON batch = number
     GROUP BY project ORDER BY spans DESC, project LIMIT ${MAX_PROJECTS}`,
  )
  return rows.map((row) => ({
    name: String(row.project),
    batches: Number(row.batches),
    spans: Number(row.spans),
  }))
}

/** Batches, and spans by name, of one project or of all. */
export async function countSpans(
  store: Store,
  project?: string,
): Promise<{ batches: number; spans: Record<string, number> }> {
  const where = project === undefined ? '' : 'WHERE project = $1'
  const values = project === undefined ? [] : [project]
  const batches = await store.read(`SELECT count(*) AS n FROM batches ${where}`, values)
  const rows = await store.read(
    `SELECT name, count(*) AS n FROM spans s JOIN batches b ON b.number = s.batch ${where} GROUP BY name ORDER BY name LIMIT 10000`,
    values,
  )
  return {
    batches: Number(batches[0]?.n),
    spans: Object.fromEntries(rows.map((row) => [String(row.name), Number(row.n)])),
  }
}

/** Everything the page shows of a project. */
export async function report(store: Store, project: Project): Promise<Report> {
  const p = [project.name]
  const [range] = await store.read(
    `SELECT count(DISTINCT day) AS days, min(day)::VARCHAR AS first, max(day)::VARCHAR AS last, count(DISTINCT name) AS names ${OF_PROJECT}`,
    p,
  )
  const names = await store.read(
    `SELECT name, count(*) AS n ${OF_PROJECT} GROUP BY name ORDER BY n DESC, name LIMIT ${MAX_NAMES}`,
    p,
  )
  const days = await store.read(
    `SELECT day::VARCHAR AS day, count(*) AS n ${OF_PROJECT} AND day > (SELECT max(day) ${OF_PROJECT}) - ${MAX_DAYS} GROUP BY ALL ORDER BY day`,
    p,
  )
  const attributes = await countAttributes(store, project.name)
  return {
    ...project,
    days: days.map((row) => ({ day: String(row.day), count: Number(row.n) })),
    dayCount: Number(range?.days),
    firstDay: String(range?.first),
    lastDay: String(range?.last),
    sections: names.map((row) => {
      const name = String(row.name)
      return { name, count: Number(row.n), attributes: attributes.get(name) ?? [] }
    }),
    moreNames: Number(range?.names) - names.length,
    facts: attributes.get(FACTS) ?? [],
  }
}

const OF_PROJECT = 'FROM spans WHERE batch IN (SELECT number FROM batches WHERE project = $1)'
const FACTS = ''

/** Every attribute of project $1, once for each span or batch, and the status if one is set. */
const VALUES = `
  own AS (SELECT number, received, policy_version FROM batches WHERE project = $1),
  own_spans AS (SELECT number, name, day, status FROM spans WHERE batch IN (SELECT number FROM own)),
  named AS (
    SELECT name AS section, day, key, type, value FROM span_attributes JOIN own_spans ON number = span
    UNION ALL SELECT name, day, 'span:status', 'string', status FROM own_spans
      WHERE name IN (SELECT name FROM own_spans WHERE status <> 'unset')
    UNION ALL SELECT '${FACTS}', received, key, type, value FROM batch_attributes JOIN own ON number = batch
    UNION ALL SELECT '${FACTS}', received, 'usage.policy.version', 'int', policy_version::VARCHAR FROM own WHERE policy_version IS NOT NULL
  )`

async function countAttributes(
  store: Store,
  project: string,
): Promise<Map<string, AttributeCount[]>> {
  const rows = await store.read(
    `WITH ${VALUES},
     counted AS (SELECT section, key, value, count(*) AS n, bool_and(type IN ('int', 'double')) AS number FROM named GROUP BY section, key, value)
     SELECT section, key, value, n, sum(n) OVER w AS total, count(*) OVER w AS different, bool_and(number) OVER w AS numbers,
       bool_and(regexp_full_match(value, '([0-9a-f]{32}){1,2}')) OVER w AS pseudonyms
     FROM counted WINDOW w AS (PARTITION BY section, key)
     QUALIFY row_number() OVER (PARTITION BY section, key ORDER BY n DESC, value) <= ${MAX_VALUES}
       AND dense_rank() OVER (PARTITION BY section ORDER BY key) <= ${MAX_KEYS}
     ORDER BY section, key, n DESC, value`,
    [project],
  )
  const sections = new Map<string, AttributeCount[]>()
  let pseudonyms = false
  for (const row of rows) {
    const section = String(row.section)
    const key = String(row.key)
    const list = sections.get(section) ?? []
    sections.set(section, list)
    let attribute = list.at(-1)
    if (attribute?.key !== key) {
      attribute = {
        key,
        total: Number(row.total),
        distinct: Number(row.different),
        numbers: row.numbers === true,
        values: [],
        pseudonyms: undefined,
      }
      list.push(attribute)
    }
    if (row.pseudonyms === true && attribute.distinct > LISTED_PSEUDONYMS) {
      attribute.pseudonyms ??= []
      pseudonyms = true
      continue
    }
    attribute.values.push({ value: String(row.value), count: Number(row.n) })
    if (attribute.numbers) attribute.values.sort((a, b) => Number(a.value) - Number(b.value))
  }
  if (pseudonyms) await countPseudonyms(store, project, sections)
  return sections
}

async function countPseudonyms(
  store: Store,
  project: string,
  sections: Map<string, AttributeCount[]>,
): Promise<void> {
  const rows = await store.read(
    `WITH ${VALUES}
     SELECT section, key, day::VARCHAR AS day, count(DISTINCT value) AS n FROM named
     WHERE regexp_full_match(value, '([0-9a-f]{32}){1,2}') AND day > (SELECT max(day) FROM named) - ${MAX_DAYS} GROUP BY ALL ORDER BY day`,
    [project],
  )
  for (const row of rows) {
    const attribute = sections.get(String(row.section))?.find(({ key }) => key === row.key)
    attribute?.pseudonyms?.push({ day: String(row.day), count: Number(row.n) })
  }
}
