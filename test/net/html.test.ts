// Nothing but the literal text of a template becomes markup.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import * as module from '../../src/net/html.ts'
import { html, joinHtml } from '../../src/net/html.ts'

test('escapes every value, and replaces characters that hide or turn text', () => {
  assert.equal(
    html`<p title="${'"\''}">${'<b>&'} ${7}</p>`.toString(),
    '<p title="&quot;&#39;">&lt;b&gt;&amp; 7</p>',
  )
  assert.equal(html`${'a\u202eb\u0007&\'"<>'}`.toString(), 'a\ufffdb\ufffd&amp;&#39;&quot;&lt;&gt;')
})

test('keeps the markup of other templates, alone and in lists', () => {
  const items = ['<a>', 'b'].map((item) => html`<li>${item}</li>`)
  assert.equal(html`<ul>${items}</ul>`.toString(), '<ul><li>&lt;a&gt;</li><li>b</li></ul>')
  assert.equal(
    joinHtml([items[0]!, '<br>'], html`<hr>`).toString(),
    '<li>&lt;a&gt;</li><hr>&lt;br&gt;',
  )
})

test('has no other way to make markup', () => {
  assert.deepEqual(Object.keys(module).sort(), ['html', 'joinHtml'])
  const call = html as unknown as (literals: unknown, ...values: unknown[]) => unknown
  for (const literals of ['<b>', ['<b>'], { raw: '<b>' }])
    assert.throws(() => call(literals), TypeError)
  // An object that only looks like markup is text.
  const forged = { markup: '<b>', toString: () => '<b>' } as unknown as string
  assert.equal(html`${forged}`.toString(), '&lt;b&gt;')
  const imitated: string = Object.create(Object.getPrototypeOf(html``))
  assert.throws(() => html`${imitated}`, TypeError)
})

test('lets no text begin or end a tag or an attribute', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 3 }), (texts) => {
      const markup = html`<i a="${texts}">${texts.map((text) => html`${text}`)}</i>`.toString()
      assert.match(markup, /^<i a="[^"<>']*">[^"<>']*<\/i>$/)
      assert.doesNotMatch(markup, /\p{Cc}|\p{Cf}/u)
    }),
  )
})
