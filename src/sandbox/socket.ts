// A WebSocket client that shows what a browser hides: a refused upgrade's response, pings, and the
// code and reason of the end.

import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { TSchema } from 'typebox'
import Value from 'typebox/value'
import { WebSocket } from 'ws'
import { serverMessageSchema } from '../contract/realtime.ts'

export interface SocketOptions {
  token?: string | undefined
  headers?: Record<string, string>
  /** False: answers no ping. */
  autoPong?: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: tests check every kind of message
export type ReceivedMessage = any

export type Socket = Awaited<ReturnType<typeof openSocket>>

/** The response that refused an upgrade. */
export class UpgradeRefused extends Error {
  readonly response: { status: number; headers: Record<string, string>; text: string }
  constructor(response: UpgradeRefused['response']) {
    super(`the upgrade was refused with ${response.status}: ${response.text}`)
    this.response = response
  }
}

/** `url` may have the scheme http. @throws UpgradeRefused */
export async function openSocket(
  url: string,
  { token, headers = {}, autoPong = true }: SocketOptions = {},
) {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), {
    headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    autoPong,
    perMessageDeflate: true,
  })
  const messages: ReceivedMessage[] = []
  const received: ReceivedMessage[] = []
  let notify = () => {}
  let pings = 0
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString())
    messages.push(message)
    received.push(message)
    notify()
  })
  socket.on('ping', () => (pings += 1))
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => {
      resolve({ code, reason: reason.toString() })
      notify()
    })
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.on('error', reject)
    socket.once('unexpected-response', (request, response: IncomingMessage) => {
      void text(response).then((body) => {
        request.destroy()
        const { statusCode = 0, headers: given } = response
        const all = given as Record<string, string>
        reject(new UpgradeRefused({ status: statusCode, headers: all, text: body }))
      })
    })
  })

  async function next(withinMs = 20_000): Promise<ReceivedMessage> {
    const deadlineMs = performance.now() + withinMs
    while (messages.length === 0) {
      if (socket.readyState === WebSocket.CLOSED) throw new Error('the WebSocket is closed')
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) throw new Error(`no message within ${withinMs} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        notify = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    const message = messages.shift()
    expectDocumented(message)
    return message
  }

  return {
    socket,
    /** All messages so far. */
    received,
    closed,
    pings: () => pings,
    next,
    /** The next message. Rejects unless it is of this type. */
    async expectNext(type: string, withinMs?: number): Promise<ReceivedMessage> {
      const message = await next(withinMs)
      if (message.type !== type) {
        throw new Error(`expected ${type}, received ${JSON.stringify(message)}`)
      }
      return message
    },
    /** All messages up to the first one that matches. */
    async until(matches: (message: ReceivedMessage) => boolean, withinMs = 30_000) {
      const read: ReceivedMessage[] = []
      const deadlineMs = performance.now() + withinMs
      do read.push(await next(deadlineMs - performance.now()))
      while (!matches(read.at(-1)))
      return read
    },
    send: (message: unknown) =>
      socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    /** Reads nothing until `resume`. */
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return
      const ended = once(socket, 'close')
      socket.terminate()
      await ended
    },
  }
}

const { anyOf: documented } = serverMessageSchema as unknown as {
  anyOf: (TSchema & { title: string })[]
}

/** Every message that a test reads must be as OpenAPI and docs/events.md describe it. */
function expectDocumented(message: ReceivedMessage) {
  const schema = documented.find(({ title }) => title === `${message.type} message`)
  if (!schema) throw new Error(`a message of an unknown type: ${JSON.stringify(message)}`)
  const [error] = Value.Errors(schema, message)
  if (!error) return
  const { instancePath, message: reason } = error
  throw new Error(`${instancePath} ${reason}: ${JSON.stringify(message)}`)
}
