// The collector's host in off.e2e.ts: a name server that knows one name, and a collector. It prints
// a line for each name query, request and reset connection. The input line `hold` makes it hold its
// answers.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { answerTo } from './name-server.ts'

const [address = '', name = '', port = ''] = process.argv.slice(2)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const answer = (query: Buffer): Buffer =>
  answerTo(query, (asked) => {
    say(`question ${asked}`)
    return asked === name ? address : undefined
  })
const names = createSocket('udp4')
names.on('message', (query, from) => names.send(answer(query), from.port, from.address))
let hold = false
createInterface({ input: process.stdin }).on('line', (line) => {
  hold = line === 'hold'
  say(line)
})
const collector = createServer((request, response) => {
  request.resume()
  request.on('error', () => undefined)
  request.on('end', () => {
    say(hold ? 'held' : 'request')
    if (!hold) response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  })
})
collector.on('connection', (socket) => {
  socket.on('error', (error: NodeJS.ErrnoException) => say(`broken ${error.code}`))
})
names.bind(53, address, () => collector.listen(Number(port), address, () => say('ready')))
