// The host at the other end of the cable: a name server that knows one name, and a collector behind it. It prints a line
// for each question, request and connection that was reset; a line on its standard input makes it hold its answers, or not.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

const [address = '', name = '', port = ''] = process.argv.slice(2)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** RFC 1035: header, the question as it came, and for type A one answer that points back at its name. */
function answerTo(query: Buffer): Buffer {
  let end = 12
  const labels: string[] = []
  for (let length = query[end]!; length !== 0; length = query[end]!) {
    labels.push(query.toString('latin1', end + 1, end + 1 + length))
    end += 1 + length
  }
  const type = query.readUInt16BE(end + 1)
  const question = query.subarray(12, end + 5)
  const known = labels.join('.') === name
  const answers = known && type === 1 ? [Buffer.from('c00c00010001000000000004', 'hex'), Buffer.from(address.split('.').map(Number))] : []
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  header.writeUInt16BE(known ? 0x8180 : 0x8183, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(answers.length > 0 ? 1 : 0, 6)
  say(`question ${labels.join('.')}`)
  return Buffer.concat([header, question, ...answers])
}

const names = createSocket('udp4')
names.on('message', (query, from) => names.send(answerTo(query), from.port, from.address))
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
