// What Node itself takes: a server that reads each request and answers 200, and nothing else.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const server = createServer((incoming, response) => {
  incoming.resume()
  incoming.on('end', () =>
    response
      .writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 })
      .end(),
  )
})
server.listen(0, '127.0.0.1', () =>
  process.stdout.write(`{"port":${(server.address() as AddressInfo).port}}\n`),
)
