// The operators of the mutation table: each does what its name says, and says so if it cannot.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Change, without } from './change.ts'
import { markedIn } from './marked.ts'

/** The code behind the marker after the change. */
function changed(code: string, change: Change): string {
  const source = `// promise: x\n${code}`
  return without(markedIn('src/a.ts', source)[0]!, change).slice('// promise: x\n'.length)
}

function unfit(code: string, change: Change): void {
  assert.throws(() => changed(code, change), /^Error: src\/a\.ts: .* does not fit the code at/)
}

test('delete removes a statement, a property, a member or an item', () => {
  assert.equal(changed('await f(1)\ng()', 'delete'), ';\ng()')
  assert.equal(changed('if (a) b()\nelse c()', 'delete'), ';')
  const inside = (source: string): string =>
    without(markedIn('src/a.ts', source)[0]!, 'delete').replace(/\s|\/\/.*/g, '')
  assert.equal(inside('f({\n  a: 1,\n  // promise: x\n  b: 2,\n})'), 'f({a:1,})')
  assert.equal(inside('f({\n  // promise: x\n  b: 2, c: 3\n})'), 'f({c:3})')
  assert.equal(inside('f([\n  // promise: x\n  ...a,\n  b,\n])'), 'f([b,])')
  assert.equal(inside('class A {\n  // promise: x\n  a(): void {}\n  b = 1\n}'), 'classA{b=1}')
})

test('condition makes the first condition a constant', () => {
  assert.equal(changed('if (a && b) c()', { condition: false }), 'if (false) c()')
  assert.equal(changed('return_(a ? b : c)', { condition: true }), 'return_(true ? b : c)')
  assert.equal(changed('while (a) if (b) c()', { condition: false }), 'while (false) if (b) c()')
  unfit('f(a)', { condition: true })
})

test('withoutOperand drops one operand of the first chain', () => {
  assert.equal(changed('if (a && b && c) d()', { withoutOperand: 1 }), 'if (b && c) d()')
  assert.equal(changed('if (a && b && c) d()', { withoutOperand: 2 }), 'if (a && c) d()')
  assert.equal(changed('if (a && b && c) d()', { withoutOperand: 3 }), 'if (a && b) d()')
  assert.equal(changed('x = a || (b && c)', { withoutOperand: 2 }), 'x = a')
  unfit('if (a && b) d()', { withoutOperand: 3 })
  unfit('if (a) d()', { withoutOperand: 1 })
})

test('argument puts an argument in the place of its call', () => {
  assert.equal(changed('const a = f(b, c(1))', { argument: 1 }), 'const a = b')
  assert.equal(changed('const a = f(b, c(1))', { argument: 2 }), 'const a = c(1)')
  unfit('f()', { argument: 1 })
})

test('value replaces what is assigned, returned, listed or called', () => {
  assert.equal(changed('const a = b + 1', { value: '2' }), 'const a = 2')
  assert.equal(changed('a = b + 1', { value: '2' }), 'a = 2')
  assert.equal(changed('const f = () => b', { value: '2' }), 'const f = 2')
  assert.equal(changed('f(a)', { value: 'g()' }), 'g()')
  assert.equal(changed('f((a) => a + 1)', { value: '2' }), '2')
  const source = 'f({\n  // promise: x\n  a: b(1),\n})'
  assert.match(without(markedIn('src/a.ts', source)[0]!, { value: '2' }), /a: 2,/)
  unfit('class A {}', { value: '2' })
})

test('replace finds its text in the statement alone, once, in whatever format', () => {
  const call = { replace: 'f(a, [b, c])', by: 'g()' }
  assert.equal(changed('x(f(a, [b, c]))', call), 'x(g())')
  assert.equal(
    changed('x(\n  f(\n    a,\n    [\n      b,\n      c,\n    ],\n  ),\n)', call),
    'x(\n  g(),\n)',
  )
  assert.equal(changed('x(a)\ny(a)', { replace: 'a', by: 'b' }), 'x(b)\ny(a)')
  unfit('x(a, a)', { replace: 'a', by: 'b' })
  unfit('x(a)', { replace: 'b', by: 'c' })
})

test('a change that leaves no TypeScript is an error', () => {
  assert.throws(() => changed('f(a)', { replace: 'f(a)', by: 'f(' }), /src\/a\.ts cannot be parsed/)
})
