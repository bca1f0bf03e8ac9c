// Node emits 'close' only on the first pending response of a closed connection. Pipelined responses
// behind it would stay open for the request log, for the drain and for event streams.
import type { FastifyInstance } from 'fastify'

export function closePipelinedResponses(app: FastifyInstance) {
  app.addHook('onRequest', async (request, { raw }) => {
    if (raw.socket) return
    const { socket } = request.raw
    const emitClose = () => void process.nextTick(() => raw.closed || raw.emit('close'))
    // One listener for each pipelined request.
    socket.setMaxListeners(0)
    socket.once('close', emitClose)
    raw.once('close', () => socket.off('close', emitClose))
  })
}
