// The Host headers that a page and a receiver accept.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLocalHost, isLoopbackHost } from '../../src/net/host-check.ts'

const LOOPBACK = [
  'localhost',
  'LOCALHOST:8080',
  '127.0.0.1',
  '127.0.0.1:9',
  '127.0.0.2:4319',
  '127.255.255.254',
  '[::1]',
  '[::1]:4320',
]
const LOCAL = ['sidecar', 'sidecar:4318', 'app.localhost', '10.0.0.1', '[fe80::1]:1', '0.0.0.0']
const FOREIGN = [
  'evil.example',
  'evil.example:4320',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '127.evil.example:1',
  'user@localhost.example',
  'localhost:80:evil.example',
]

test('a page accepts localhost and every loopback address, with any port', () => {
  for (const host of LOOPBACK) assert.ok(isLoopbackHost(host), host)
  for (const host of [...LOCAL, ...FOREIGN]) assert.ok(!isLoopbackHost(host), host)
  for (const host of ['', '127.0.0.1:', 'localhost:123456', '128.0.0.1', '127.0.0.256', '::1'])
    assert.ok(!isLoopbackHost(host), host)
  assert.ok(!isLoopbackHost(undefined))
})

test('a receiver also accepts other addresses and names without a dot', () => {
  for (const host of [...LOOPBACK, ...LOCAL]) assert.ok(isLocalHost(host), host)
  for (const host of FOREIGN) assert.ok(!isLocalHost(host), host)
})
