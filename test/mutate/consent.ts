// Guards of consent: what the switches say, how their files are looked at, and the file of the
// epoch.
import type { GuardTable, Witness } from './guard.ts'

const table: Witness = { test: 'test/consent/switches.test.ts', name: '^of all combinations' }
const watched = (name: string): Witness => ({ test: 'test/consent/watch.test.ts', name })
const epoch = (name: string): Witness => ({ test: 'test/consent/epoch.test.ts', name })

export const consent: GuardTable = {
  'src/consent/annotations.ts': [
    {
      promise: 'one line that is not the kubelet’s spoils the file',
      text: "if (match === null) return 'malformed'\n",
      instead: 'if (match === null) continue\n',
      noticed: table,
    },
    {
      promise: 'an annotation that is there twice is not understood',
      text: "if (value !== undefined) return 'malformed'\n",
      noticed: table,
    },
    {
      promise: 'only our annotation counts',
      text: 'if (match[1] !== REPORTING) continue\n',
      noticed: table,
    },
  ],
  'src/consent/consent.ts': [
    {
      promise: 'wrong settings are off',
      text: "wrongSettings ? [{ mode: 'off', by: 'a wrong setting' }] : []",
      instead: '[]',
      noticed: table,
    },
    {
      promise: 'annotations that cannot be read are off',
      text: "annotations.text === undefined ? 'malformed'",
      instead: 'annotations.text === undefined ? { value: undefined }',
      noticed: table,
    },
    {
      promise: 'the annotation lowers',
      text: 'said.push({ mode: modeOf(read.value), by: REPORTING })\n',
      instead: 'void read\n',
      noticed: table,
    },
    {
      promise: 'DO_NOT_TRACK is off',
      text: "said.push({ mode: 'off', by: 'DO_NOT_TRACK' })\n",
      instead: 'void said\n',
      noticed: table,
    },
    {
      promise: 'a kill switch that cannot be found out is off',
      text: 'offFile.there !== false',
      instead: 'offFile.there === true',
      noticed: table,
    },
    {
      promise: 'the lowest wins',
      text: 'MODES.indexOf(next.mode) < MODES.indexOf(lowest.mode)',
      instead: 'MODES.indexOf(next.mode) > MODES.indexOf(lowest.mode)',
      noticed: table,
    },
    {
      promise: 'an unknown word is off',
      text: "mode === word) ?? 'off'",
      instead: "mode === word) ?? 'local'",
      noticed: table,
    },
    {
      promise: 'a look reads the files anew',
      text: 'for (const watch of watches) watch.look()\n',
      noticed: watched('^a look sees'),
    },
    {
      promise: 'a change is told',
      text: 'onChange(next)\n',
      instead: 'void next\n',
      noticed: watched('^a look sees'),
    },
  ],
  'src/consent/epoch.ts': [
    {
      promise: 'more or less than an epoch is none',
      text: ')\\n$`)',
      instead: ')`)',
      noticed: epoch('^an epoch file that is torn'),
    },
    {
      promise: 'an epoch without a date is none',
      text: '|| Number.isNaN(times.since + times.policySince)',
      noticed: epoch('^an epoch file that is torn'),
    },
    {
      promise: 'an epoch is of its mode',
      text: "mode === 'on' ? 'on' : 'local'",
      instead: "'on'",
      noticed: epoch('^an epoch is read'),
    },
    {
      promise: 'an epoch is durable before it takes its name',
      text: '    fs.fsyncSync(file)\n',
      noticed: epoch('^an epoch is on disk'),
    },
    {
      promise: 'the name of an epoch is durable before it counts',
      text: '  syncFolder(folder)\n  return epoch\n',
      instead: '  return epoch\n',
      noticed: epoch('^an epoch is on disk'),
    },
    {
      promise: 'an epoch is for our user only',
      text: "'w', 0o600",
      instead: "'w', 0o644",
      noticed: epoch('^an epoch is read'),
    },
    {
      promise: 'an epoch ends durably',
      text: '  // Also where there was nothing to take away: an earlier try may have failed right here.\n  syncFolder(folder)\n',
      noticed: epoch('^an epoch that has ended'),
    },
    {
      promise: 'an end that failed may be repeated',
      text: "if (errorCode(error) !== 'ENOENT') throw error\n",
      instead: 'throw error\n',
      noticed: epoch('^an epoch that has ended'),
    },
    {
      promise: 'an end needs no folder',
      text: 'if (!fs.existsSync(folder)) return\n',
      noticed: epoch('^where there is no folder'),
    },
  ],
  'src/support/watch.ts': [
    {
      promise: 'a link to nothing is there',
      text: 'lstatSync(path)\n',
      instead: 'readFileSync(path)\n',
      noticed: watched('^the kill switch'),
    },
    {
      promise: 'only ENOENT is absence',
      text: "errorCode(error) === 'ENOENT' ? false : undefined",
      instead: 'error ? false : undefined',
      noticed: watched('^the kill switch'),
    },
    {
      promise: 'what was read before a look does not undo it',
      text: 'if (looks === before) take(next)\n',
      instead: 'void before\n    take(next)\n',
      noticed: watched('^what was read'),
    },
  ],
}
