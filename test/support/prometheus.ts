// A strict reader of the Prometheus text format, version 0.0.4. It fails on anything that a scraper
// might read in another way.
import assert from 'node:assert/strict'

export interface ParsedSample {
  labels: Record<string, string>
  value: number
}

export interface ParsedFamily {
  type: string
  help: string
  samples: ParsedSample[]
}

const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y

/** Families by name. Each has one HELP, one TYPE, and then its samples. */
export function parseMetrics(text: string): Map<string, ParsedFamily> {
  assert.ok(text.endsWith('\n'), 'the last line ends with a line feed')
  const families = new Map<string, ParsedFamily>()
  const lines = text.slice(0, -1).split('\n')
  let current: [name: string, family: ParsedFamily] | undefined
  for (let i = 0; i < lines.length; i++) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(lines[i]!)
    if (help !== null) {
      const type = /^# TYPE (\S+) (counter|gauge)$/.exec(lines[++i] ?? '')
      assert.equal(type?.[1], help[1], 'TYPE follows HELP')
      assert.ok(!families.has(help[1]!), `${help[1]} comes once`)
      current = [help[1]!, { type: type![2]!, help: help[2]!, samples: [] }]
      families.set(...current)
      continue
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? (-?\d+(?:\.\d+)?)$/.exec(lines[i]!)
    assert.equal(sample?.[1], current?.[0], `"${lines[i]}" is a sample of its family`)
    current![1].samples.push({
      labels: labelsOf(sample![2] ?? ''),
      value: Number(sample![3]),
    })
  }
  for (const [name, { samples }] of families) {
    const keys = samples.map(({ labels }) => JSON.stringify(Object.entries(labels)))
    assert.equal(new Set(keys).size, keys.length, `${name} has each series once`)
  }
  return families
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (LABEL.lastIndex = 0; LABEL.lastIndex < text.length; ) {
    const [, name, value] = LABEL.exec(text) ?? assert.fail(`labels cannot be read: ${text}`)
    assert.ok(!(name! in labels), `label ${name} comes once`)
    labels[name!] = value!.replace(/\\(.)/g, (_, each: string) => (each === 'n' ? '\n' : each))
  }
  return labels
}
