// All combinations of all states of the switches, and the annotations file as the kubelet writes
// it. fixtures/annotations.txt is the output of its FormatMap for unusual annotations.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { decide, type Switches } from '../../src/consent/consent.ts'
import type { Mode } from '../../src/support/mode.ts'

const REPORTING = 'usage-sidecar.dev/reporting'
const AS_THE_KUBELET_WRITES = readFileSync(
  new URL('../fixtures/annotations.txt', import.meta.url),
  'utf8',
)

/** A state of one switch, its mode and the name that it reports. `none` is no opinion. */
type State<T> = [state: T, says: Mode | 'none', by?: string]

const WRONG: State<boolean>[] = [
  [false, 'none'],
  [true, 'off', 'an invalid setting'],
]
const SETTING: State<string>[] = (['off', 'local', 'on'] as const).map(
  (word): State<string> => [word, word, 'USAGE_REPORTING'],
)
SETTING.push(
  ...['', 'On', 'true', ' on'].map((word): State<string> => [word, 'off', 'USAGE_REPORTING']),
)

const file = (text: string | undefined) => ({ text })
const ANNOTATIONS: State<Switches['annotations']>[] = [
  [undefined, 'none'],
  [file(''), 'none'],
  [file('a.example/b="on"\nusage-sidecar.dev/inject="disabled"'), 'none'],
  [file('usage-sidecar.dev/reporting-note="off"'), 'none'],
  [file(`a.example/b="${REPORTING}=\\"off\\""`), 'none'],
  [file(`${REPORTING}="off"`), 'off', REPORTING],
  [file(`${REPORTING}="local"\n`), 'local', REPORTING],
  [file(`a.example/b=""\n${REPORTING}="on"`), 'on', REPORTING],
  ...['', 'On', 'yes', 'o\\x6e', 'on\\n', ' on', 'disabled'].map(
    (word): State<Switches['annotations']> => [file(`${REPORTING}="${word}"`), 'off', REPORTING],
  ),
  ...[
    undefined,
    `${REPORTING}=on`,
    `${REPORTING}="on`,
    `${REPORTING}="o"n"`,
    `${REPORTING}: "on"`,
    `${REPORTING}="on"\n\n`,
    '\u0000',
  ].map((text): State<Switches['annotations']> => [file(text), 'off', 'USAGE_ANNOTATIONS_FILE']),
  [file(`${REPORTING}="on"\n${REPORTING}="on"`), 'off', 'USAGE_ANNOTATIONS_FILE'],
  [file(`${REPORTING}="on"\nnot a line`), 'off', 'USAGE_ANNOTATIONS_FILE'],
]
const DO_NOT_TRACK: State<string | undefined>[] = [undefined, '', '0', 'false', 'FALSE', ' 0 '].map(
  (value) => [value, 'none'],
)
DO_NOT_TRACK.push(
  ...['1', 'true', 'no', 'off', '00'].map((value): State<string> => [value, 'off', 'DO_NOT_TRACK']),
)

const OFF_FILE: State<Switches['offFile']>[] = [
  [undefined, 'none'],
  [{ exists: false }, 'none'],
  [{ exists: true }, 'off', 'USAGE_OFF_FILE'],
  [{ exists: undefined }, 'off', 'USAGE_OFF_FILE'],
]

test('the lowest mode wins in all combinations of all states of the switches', () => {
  const order: Mode[] = ['off', 'local', 'on']
  const counts = { off: 0, local: 0, on: 0 }
  for (const wrong of WRONG)
    for (const setting of SETTING)
      for (const annotations of ANNOTATIONS)
        for (const doNotTrack of DO_NOT_TRACK)
          for (const offFile of OFF_FILE) {
            const states = [wrong, setting, annotations, doNotTrack, offFile]
            const mode = order.find((candidate) => states.some(([, says]) => says === candidate))!
            const by = states.find(([, says]) => says === mode)![2]
            const switches: Switches = {
              hasInvalidSettings: wrong[0],
              reporting: setting[0],
              doNotTrack: doNotTrack[0],
            }
            if (annotations[0] !== undefined) switches.annotations = annotations[0]
            if (offFile[0] !== undefined) switches.offFile = offFile[0]
            assert.deepEqual(decide(switches), { mode, by }, JSON.stringify(switches))
            counts[mode]++
          }
  // `on` needs the setting, one of six files, one of six values of DO_NOT_TRACK and one of two
  // states of the kill switch.
  assert.deepEqual(counts.on, 6 * 6 * 2)
  assert.ok(counts.local > counts.on && counts.off > counts.local)
})

const withAnnotations = (text: string): Mode =>
  decide({ reporting: 'on', doNotTrack: undefined, annotations: { text } }).mode

test('reads what the kubelet writes, whatever other annotations hold', () => {
  assert.equal(withAnnotations(AS_THE_KUBELET_WRITES), 'on')
  assert.equal(
    withAnnotations(AS_THE_KUBELET_WRITES.replace(`${REPORTING}="on"`, `${REPORTING}="local"`)),
    'local',
  )
  assert.equal(
    withAnnotations(AS_THE_KUBELET_WRITES.replace(`${REPORTING}="on"`, 'a.example/other="off"')),
    'on',
  )
})

/** Go's strconv.Quote as far as needed: escapes everything but printable ASCII. */
const quote = (value: string): string =>
  `"${value.replace(/[^\x20-\x7e]|["\\]/gu, (char) => (char.length === 1 && /["\\]/.test(char) ? `\\${char}` : `\\U${char.codePointAt(0)!.toString(16).padStart(8, '0')}`))}"`

test('ignores other annotations and takes any unknown word for off', () => {
  const key = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}\/[A-Za-z][A-Za-z0-9._-]{0,20}$/)
  const word = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('on', 'off', `x"\n${REPORTING}="on`, `\\"\n${REPORTING}="on"\n`),
  )
  fc.assert(
    fc.property(fc.dictionary(key, word), fc.option(word), (others, own) => {
      const { [REPORTING]: _, ...annotations } = others
      const all: Record<string, string> =
        own === null ? annotations : { ...annotations, [REPORTING]: own }
      const text = Object.keys(all)
        .sort()
        .map((name) => `${name}=${quote(all[name]!)}`)
        .join('\n')
      const expected = own === null || own === 'on' ? 'on' : own === 'local' ? 'local' : 'off'
      assert.equal(withAnnotations(text), expected)
    }),
    { numRuns: 2_000 },
  )
})

test('reads a file of the greatest allowed size', () => {
  const long = `a.example/b="${'\\n'.repeat(500_000)}"\n${REPORTING}="local"`
  assert.equal(withAnnotations(long), 'local')
  assert.equal(withAnnotations(long.replace('"local"', '"on')), 'off')
})
