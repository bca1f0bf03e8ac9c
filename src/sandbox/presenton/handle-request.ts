/**
 * One request from its first byte to the end of its response: journal, gate, fault, login, route,
 * reply.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { User } from './accounts.ts'
import type { FaultControl } from './faults/control.ts'
import type { JournalEntry } from './journal.ts'
import { isReplied } from './operation.ts'
import { untilAborted } from './pace.ts'
import { errorDetail, internalServerError, json, nginxPage, type Reply } from './reply.ts'
import { findRoute } from './router.ts'
import type { Exchange, Route, StandInState } from './state.ts'

type HandlerOptions = { state: StandInState; faults: FaultControl; journal: JournalEntry[] }

export async function handleRequest(
  { state, faults, journal }: HandlerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET', url: path = '/' } = request
  const url = new URL(path, 'http://presenton')
  const match = findRoute(method, url.pathname, state.features())
  const route = match && 'route' in match ? match.route : undefined
  const params = match && 'route' in match ? match.params : {}
  const operation = route?.operation ?? 'other'
  const headers = flattenHeaders(request)
  const journalEntry: JournalEntry = { at: new Date(), method, path, operation, headers }
  journal.push(journalEntry)

  let isClosedByUs = false
  const closed = new AbortController()
  response.on('close', () => {
    if (response.headersSent) journalEntry.status = response.statusCode
    if (response.writableFinished) return
    if (!isClosedByUs) journalEntry.aborted = true
    closed.abort()
  })
  const destroyConnection = () => {
    isClosedByUs = true
    response.destroy()
  }
  response.setHeader('server', 'nginx/1.22.1')

  try {
    const body = await buffer(request)
    const deckId = params.id ?? deckIdIn(body) ?? findExportingDeck(url.pathname, state)
    if (deckId !== undefined) journalEntry.deckId = deckId
    const passGate: Exchange['passGate'] = (point) => state.gates.pass(point, closed.signal)
    await passGate(operation)

    if (isLimitedLogin(state, url)) {
      send(response, nginxPage(429), method)
      return
    }
    const fault = faults.take(operation, journalEntry.deckId)
    if (fault?.effect.kind === 'reset') destroyConnection()
    else if (fault?.effect.kind === 'hang') await untilAborted(closed.signal)
    else if (fault?.effect.kind === 'respond')
      send(response, fault.effect.reply({ operation, features: state.features() }), method)
    else {
      const readBody = () => Promise.resolve(body)
      const exchange: Exchange = {
        request,
        response,
        url,
        params,
        user: userOf(state, request),
        operation,
        journalEntry,
        signal: closed.signal,
        fault,
        destroyConnection,
        readBody,
        passGate,
      }
      const allow = match && 'allow' in match ? match.allow : undefined
      const reply =
        authErrorFor(state, exchange, route) ?? (await runRoute(state, exchange, route, allow))
      if (!reply) return
      journalEntry.status = reply.status
      if (isReplied(operation)) await passGate(`${operation}:reply`)
      const changed = fault?.effect.kind === 'change-reply' ? fault.effect.change(reply) : reply
      if (changed === 'lost') destroyConnection()
      else if (changed === 'half') sendHalf(response, reply, destroyConnection)
      else send(response, changed, method)
    }
  } catch (error) {
    if (closed.signal.aborted) return
    console.error('Stand-in for Presenton:', error)
    if (response.headersSent) response.destroy()
    else send(response, internalServerError(), method)
  }
}

function runRoute(
  state: StandInState,
  exchange: Exchange,
  route: Route | undefined,
  allow: string | undefined,
): Promise<Reply | undefined> | Reply {
  if (route) return route.handle(state, exchange)
  if (allow) return errorDetail(405, 'Method Not Allowed', { allow })
  if (exchange.url.pathname.startsWith('/api/v')) return errorDetail(404, 'Not Found')
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

/** nginx counts all requests to the path, with any method. */
function isLimitedLogin({ accounts, features }: StandInState, { pathname }: URL): boolean {
  const isLimited = pathname === '/api/v1/auth/login' && features().auth === 'users'
  return isLimited && !accounts.countLoginRequest()
}

/** Public routes do not ask who sends a request. */
function userOf({ accounts, features }: StandInState, { headers }: IncomingMessage): User {
  return accounts.callerOf(headers, features())?.user ?? noUser
}

const noUser: User = { id: '', username: '', password: '', role: 'user', created_at: '' }

/** Undefined when the request is allowed. */
function authErrorFor(
  { accounts, features }: StandInState,
  { request, url }: Exchange,
  route: Route | undefined,
): Reply | undefined {
  const { pathname } = url
  const isProtected = /^\/(api|docs|openapi\.json|app_data)(\/|$)/.test(pathname)
  if (route?.isPublic || !isProtected) return undefined
  if (features().auth === 'none' || !accounts.isEnabled) return undefined
  const authMethod = accounts.callerOf(request.headers, features())?.method
  const isNextJsRoute = /^\/api\/(?!v\d)/.test(pathname)
  if (isNextJsRoute && authMethod === 'api_key')
    return json({ detail: 'API keys are only accepted by the Presenton API' }, 403)
  if (authMethod) return undefined
  if (pathname.startsWith('/app_data/')) return nginxPage(401)
  if (!accounts.isConfigured())
    return json({ detail: 'Login setup is required', setup_required: true }, 428)
  return errorDetail(401, 'Unauthorized')
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

/** Declares a longer body, sends half of it, then closes the connection. */
function sendHalf(
  response: ServerResponse,
  { status, headers, body = Buffer.alloc(0) }: Reply,
  destroyConnection: () => void,
): void {
  response.writeHead(status, { ...headers, 'content-length': body.length + 1 })
  response.write(body.subarray(0, Math.ceil(body.length / 2)), destroyConnection)
}

function flattenHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

/** The deck that was exported to this path; the last one, if several have the same path. */
function findExportingDeck(path: string, { decks }: StandInState): string | undefined {
  if (!path.startsWith('/app_data/exports/')) return undefined
  const decoded = decodePath(path)
  const owners = [...decks.values()].filter((deck) =>
    deck.exports.some((written) => written.path === decoded),
  )
  return owners.at(-1)?.id
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function deckIdIn(body: Buffer): string | undefined {
  try {
    const { id, presentation_id } = JSON.parse(body.toString()) as Record<string, unknown>
    const found = presentation_id ?? id
    return typeof found === 'string' ? found : undefined
  } catch {
    return undefined
  }
}
