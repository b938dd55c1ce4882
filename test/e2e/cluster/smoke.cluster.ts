import { test } from 'node:test'
import { kubectl } from './cluster.ts'
test('smoke', async () => {
  console.log(await kubectl('get', 'nodes', '-o', 'wide'))
})
