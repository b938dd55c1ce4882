// The corpus by itself, before any cluster sees it: the command does with each pod what the fixture
// says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { injectText, uninjectText } from '../../src/inject/inject.ts'
import { OPTIONS, podByCommand, podOf, SAMPLES, sidecarOf } from '../support/inject-corpus.ts'

for (const sample of SAMPLES)
  test(`${sample.name} is ${sample.injected ? '' : 'not '}injected`, () => {
    const { text, outcomes } = injectText(sample.text, OPTIONS)
    assert.deepEqual(
      [outcomes.some(({ done }) => done), outcomes.some(({ failed }) => failed)],
      [sample.injected, false],
    )
    assert.equal(uninjectText(text).text === sample.text, sample.name !== 'has-one')
    const pod = podByCommand(sample)
    if (!sample.injected) assert.deepEqual(pod, podOf(sample.text, sample))
    else assert.equal(sidecarOf(pod)?.image, OPTIONS.image)
  })
