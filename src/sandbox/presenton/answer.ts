/**
 * One request from its first byte to the end of its answer: journal, gate, fault, login, route,
 * reply.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { FaultControl } from './faults/control.ts'
import type { Call } from './journal.ts'
import { isReplied } from './operation.ts'
import { untilAborted } from './pace.ts'
import { crashed, detail, json, page, type Reply } from './reply.ts'
import { match } from './router.ts'
import type { Exchange, Route, World } from './world.ts'

type Desk = { world: World; faults: FaultControl; journal: Call[] }

export async function answer(
  { world, faults, journal }: Desk,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET', url: path = '/' } = request
  const url = new URL(path, 'http://presenton')
  const found = match(method, url.pathname, world.features())
  const route = found && 'route' in found ? found.route : undefined
  const params = found && 'route' in found ? found.params : {}
  const operation = route?.operation ?? 'other'
  const call: Call = { at: new Date(), method, path, operation, headers: flat(request) }
  journal.push(call)

  let ours = false
  const gone = new AbortController()
  response.on('close', () => {
    if (response.headersSent) call.status = response.statusCode
    if (response.writableFinished) return
    if (!ours) call.aborted = true
    gone.abort()
  })
  const breakOff = () => {
    ours = true
    response.destroy()
  }
  response.setHeader('server', 'nginx/1.22.1')

  try {
    const body = await buffer(request)
    const deckId = params.id ?? idIn(body) ?? exporterOf(url.pathname, world)
    if (deckId !== undefined) call.deckId = deckId
    const pass: Exchange['pass'] = (point) => world.gates.pass(point, gone.signal)
    await pass(operation)

    const fault = faults.take(operation, call.deckId)
    if (fault?.effect.kind === 'reset') breakOff()
    else if (fault?.effect.kind === 'hang') await untilAborted(gone.signal)
    else if (fault?.effect.kind === 'answer')
      send(response, fault.effect.reply({ operation, features: world.features() }), method)
    else {
      const readBody = () => Promise.resolve(body)
      const exchange: Exchange = {
        request,
        response,
        url,
        params,
        operation,
        call,
        signal: gone.signal,
        fault,
        breakOff,
        readBody,
        pass,
      }
      const reply =
        refuse(world, exchange, route) ??
        (await act(world, exchange, route, found && 'allow' in found ? found.allow : undefined))
      if (!reply) return
      call.status = reply.status
      if (isReplied(operation)) await pass(`${operation}:reply`)
      const changed = fault?.effect.kind === 'reply' ? fault.effect.change(reply) : reply
      if (changed === 'lost') breakOff()
      else if (changed === 'half') sendHalf(response, reply, breakOff)
      else send(response, changed, method)
    }
  } catch (error) {
    if (gone.signal.aborted) return
    console.error('Stand-in for Presenton:', error)
    if (response.headersSent) response.destroy()
    else send(response, crashed(), method)
  }
}

function act(
  world: World,
  exchange: Exchange,
  route: Route | undefined,
  allow: string | undefined,
): Promise<Reply | undefined> | Reply {
  if (route) return route.act(world, exchange)
  if (allow) return detail(405, 'Method Not Allowed', { allow })
  if (exchange.url.pathname.startsWith('/api/v')) return detail(404, 'Not Found')
  const html = Buffer.from(
    '<!DOCTYPE html><html lang="en"><title>404: This page could not be found.</title></html>',
  )
  return {
    status: 404,
    headers: { 'content-type': 'text/html; charset=utf-8', 'x-powered-by': 'Next.js' },
    body: html,
    chunked: true,
  }
}

/** The answer to who may not ask; undefined for who may. */
function refuse(
  { accounts, features }: World,
  { request, url }: Exchange,
  route: Route | undefined,
): Reply | undefined {
  const { pathname } = url
  const guarded = /^\/(api|docs|openapi\.json|app_data)(\/|$)/.test(pathname)
  if (route?.open || !guarded || features().auth === 'none' || !accounts.enabled) return undefined
  const method = accounts.methodOf(request.headers, features())
  const ofNext = /^\/api\/(?!v\d)/.test(pathname)
  if (ofNext && method === 'api_key')
    return json({ detail: 'API keys are only accepted by the Presenton API' }, 403)
  if (method) return undefined
  if (pathname.startsWith('/app_data/')) return page(401)
  if (!accounts.configured())
    return json({ detail: 'Login setup is required', setup_required: true }, 428)
  return detail(401, 'Unauthorized')
}

function send(
  response: ServerResponse,
  { status, headers, body, chunked }: Reply,
  method: string,
): void {
  const length = body && !chunked ? { 'content-length': body.length } : {}
  response.writeHead(status, { ...headers, ...length })
  if (body && method !== 'HEAD') response.write(body)
  response.end()
}

/** The whole length is announced, the half is sent, then the connection breaks. */
function sendHalf(
  response: ServerResponse,
  { status, headers, body }: Reply,
  breakOff: () => void,
): void {
  const whole = body ?? Buffer.alloc(0)
  response.writeHead(status, { ...headers, 'content-length': whole.length + 1 })
  response.write(whole.subarray(0, Math.ceil(whole.length / 2)), breakOff)
}

function flat({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

/** The deck whose file this is: the last one, where several were written to one path. */
function exporterOf(path: string, { decks }: World): string | undefined {
  if (!path.startsWith('/app_data/exports/')) return undefined
  const plain = decode(path)
  const owners = [...decks.values()].filter((deck) =>
    deck.exports.some((made) => made.path === plain),
  )
  return owners.at(-1)?.id
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** The deck that a body is about. */
function idIn(body: Buffer): string | undefined {
  try {
    const { id, presentation_id } = JSON.parse(body.toString()) as Record<string, unknown>
    const found = presentation_id ?? id
    return typeof found === 'string' ? found : undefined
  } catch {
    return undefined
  }
}
