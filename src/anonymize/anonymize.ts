// Takes raw spans and returns anonymized spans, in one pass over the protobuf bytes of an
// ExportTraceServiceRequest. The outgoing spans are built field by field from the compiled policy
// (construct, never mutate). Anything that the policy does not name is never read. An error loses
// the request and lets nothing through.
import { randomFillSync } from 'node:crypto'
import { Cursor, LEN } from '../otlp/wire.ts'
import { lastDayOf, policyOn } from '../policy/expiry.ts'
import type { Policy } from '../policy/policy.ts'
import type { Cell, Counters } from '../support/counters.ts'
import { badRequest } from '../support/errors.ts'
import { ABSENT } from './attribute-slots.ts'
import { MISS } from './byte-table.ts'
import { Clock } from './clock.ts'
import {
  type CompiledRule,
  compileResource,
  compileSpans,
  type RuleTable,
  setDurationValue,
  setStatusValue,
} from './compile.ts'
import type { CompileContext } from './compiled-field.ts'
import type { Facts } from './compiled-source.ts'
import { heartbeatSpan } from './heartbeat-span.ts'
import type { Random } from './ids.ts'
import { fillResourceSlots } from './resource-slots.ts'
import { SpanOffsets } from './span-offsets.ts'
import { SpanWriter } from './span-writer.ts'

export interface AnonymizerOptions {
  policy: Policy
  facts: Facts
  /** 32 bytes of the installation; without them there are no pseudonyms. */
  secret: Uint8Array | undefined
  counters: Counters
  /** Of what one request may become. */
  maxBytes: number
  /** Shared by all that live in this process, so that no day comes back with a new policy. */
  clock?: Clock
  /** Fills a buffer with random bytes. Tests replace it. */
  random?: Random
}

export interface Passed {
  /** ScopeSpans.spans fields one after the other; a view, valid until `done` or the next pass. */
  bytes: Buffer
  spans: number
  /** Spans that are not valid OTLP; those that the policy leaves out are not among them. */
  rejected: number
}

export interface Anonymizer {
  /**
   * Throws a Refusal where the request is malformed; then nothing of it was kept. `nowMs`: the
   * moment of acceptance.
   */
  pass(body: Uint8Array, nowMs: number): Passed
  /**
   * The sidecar's own span, anonymized like any other; none if the policy does not name it.
   * Valid until the next pass.
   */
  heartbeat(nowMs: number): Passed
  /** What the last pass gave is not needed any more: its memory is given back where it is much. */
  done(): void
  /**
   * The attributes of the Resource that the policy names, encoded, for the UTC day of the last
   * pass.
   */
  resource(): Uint8Array
  /** UTC day of the last pass, `2026-10-05`. */
  day(): string
}

export function createAnonymizer(options: AnonymizerOptions): Anonymizer {
  const { policy, facts, secret, counters, clock = new Clock(), random = randomFillSync } = options
  const context: CompileContext = {
    project: policy.project,
    secret,
    period: (of) => clock.period(of),
    facts,
    counters,
  }
  const writer = new SpanWriter(policy.project, secret, options.maxBytes, random)
  let day = clock.period('day')
  let inForce = policyOn(policy, day)
  const spanPass = new SpanPass(compileSpans(inForce, context), writer, counters)
  writer.ids.setDay(day)

  const moveOn = (nowMs: number): void => {
    clock.advance(nowMs)
    if (clock.period('day') === day) return
    day = clock.period('day')
    // promise: ids-of-the-day
    writer.ids.setDay(day)
    if (day <= lastDayOf(inForce)) return
    // promise: expired-resource-attribute-dropped
    inForce = policyOn(policy, day)
    // promise: expired-attribute-dropped
    spanPass.table = compileSpans(inForce, context)
  }
  return {
    pass(body, nowMs) {
      moveOn(nowMs)
      writer.begin()
      const rejected = spanPass.request(body)
      return { ...writer.finish(), rejected }
    },
    heartbeat(nowMs) {
      moveOn(nowMs)
      writer.begin()
      spanPass.heartbeat(heartbeatSpan(nowMs, random))
      return { ...writer.finish(), rejected: 0 }
    },
    resource: () => compileResource(inForce, context),
    day: () => day,
    done: () => writer.done(),
  }
}

class SpanPass {
  table: RuleTable
  readonly #writer: SpanWriter
  readonly #offsets = new SpanOffsets()
  readonly #received: Cell
  readonly #unlisted: Cell
  readonly #foreignHeartbeats: Cell
  readonly #rejectedCell: Cell
  #rejected = 0
  #body: Buffer = Buffer.alloc(0)

  constructor(table: RuleTable, writer: SpanWriter, counters: Counters) {
    this.table = table
    this.#writer = writer
    this.#received = counters.cell('spans.received')
    this.#unlisted = counters.cell('spans.unlisted')
    this.#foreignHeartbeats = counters.cell('heartbeats.foreign')
    this.#rejectedCell = counters.cell('spans.rejected')
  }

  /** Number of rejected spans. */
  request(body: Uint8Array): number {
    this.#rejected = 0
    this.#body = Buffer.isBuffer(body)
      ? body
      : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    const { resource } = this.table
    eachMessage(new Cursor(body), 1, 1, (resourceSpans) => {
      if (resource !== undefined) fillResourceSlots(resource, this.#body, resourceSpans)
      eachMessage(resourceSpans, 2, 3, (scopeSpans) =>
        eachMessage(scopeSpans, 2, 3, (span) => this.#span(span)),
      )
    })
    this.#body = Buffer.alloc(0)
    this.#rejectedCell.count += this.#rejected
    return this.#rejected
  }

  /** `span` is the sidecar's own; no application's resource is its resource. */
  heartbeat(span: Buffer): void {
    const { resource, heartbeat, rules } = this.table
    const rule = rules[heartbeat]
    if (rule === undefined) return
    // promise: own-span-own-resource
    resource?.clear()
    this.#offsets.read(new Cursor(span))
    this.#listed(rule, span, this.#offsets)
  }

  #span(cursor: Cursor): void {
    const offsets = this.#offsets
    const body = this.#body
    this.#received.count++
    offsets.read(cursor)
    if (!offsets.valid) {
      this.#rejected++
      return
    }
    const { names, rules, heartbeat } = this.table
    const index = names.find(body, offsets.nameStart, offsets.nameEnd)
    if (index === MISS) this.#unlisted.count++
    // Only the sidecar itself can say that it lives.
    else if (index === heartbeat) this.#foreignHeartbeats.count++
    else this.#listed(rules[index]!, body, offsets)
  }

  #listed(rule: CompiledRule, body: Buffer, offsets: SpanOffsets): void {
    const { slots, wanted, readers } = rule
    slots.fill(body, offsets)
    for (const value of rule.skip) {
      // Present with any value but the empty text.
      // promise: skip-drops-spans
      if (value.kind !== ABSENT && !value.isEmptyText) {
        rule.skipped.count++
        return
      }
    }
    for (let i = 0; i < slots.filledCount; i++)
      for (const field of readers[slots.filled[i]!]!) wanted.add(field)
    const code = rule.keepStatus || rule.status !== undefined ? offsets.statusCode(body) : 0
    if (rule.status !== undefined) setStatusValue(rule.status, code)
    if (rule.duration !== undefined) setDurationValue(rule.duration, offsets.durationNs(body))
    for (const list of rule.joined) list.fill()
    rule.time.cut(body, offsets.startTime, offsets.endTime)
    this.#writer.write(rule, body, offsets, code ?? 0)
  }
}

/**
 * Calls `each` with a cursor on every message in field `wanted`; fields up to `known` must be
 * messages or strings.
 */
function eachMessage(
  cursor: Cursor,
  wanted: number,
  known: number,
  each: (message: Cursor) => void,
): void {
  const inner = new Cursor(cursor.bytes)
  while (cursor.pos < cursor.end) {
    const at = cursor.pos
    const fieldTag = cursor.tag()
    const field = fieldTag >>> 3
    if (field <= known && (fieldTag & 7) !== LEN)
      throw badRequest('A field has the wrong wire type', at)
    if (field !== wanted) {
      cursor.skip(fieldTag)
      continue
    }
    const length = cursor.length()
    inner.pos = cursor.pos
    inner.end = cursor.pos + length
    each(inner)
    cursor.pos += length
  }
}
