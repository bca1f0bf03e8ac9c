// The peer of the gateway's WebSockets: `ws` alone, which sends the bytes of each POST to all
// sockets, and responds to each message with the bytes of a `pong`.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { WebSocketServer } from 'ws'

const server = createServer((request, response) => {
  void buffer(request).then((bytes) => {
    for (const socket of sockets.clients) socket.send(bytes, { binary: false })
    response.end()
  })
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
const pong = Buffer.from('{"type":"pong","timestamp":"2026-11-27T12:29:41.512Z"}')
sockets.on('connection', (socket) => {
  socket.on('message', () => socket.send(pong, { binary: false }))
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ msg: 'listening', address: `http://127.0.0.1:${port}` }))
})
