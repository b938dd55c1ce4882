// An application that reports its use by the way that its argument names (`grpc`, `http-json`, `http-protobuf`): one
// execution for each line of its input.
import { createInterface } from 'node:readline'
import { execute } from './execution.js'

const { provider, usage } = await import(`./${process.argv[2]}.js`)

let number = 0
for await (const _ of createInterface({ input: process.stdin })) execute(usage, number++)

// The last spans leave now. It rejects where they cannot, which is no reason for an application to fail.
await provider.shutdown().catch(() => undefined)
console.log('done')
