// What the tests of paid calls have in common: a world with a maker, and requests to its listener
// as a user's browser makes them.

import { openDatabase } from '../../database/connection.ts'
import {
  type MakerBrowser,
  makerCredentials,
  makerEnv,
  signInToMaker,
} from '../../journeys/maker-browser.ts'
import type { User } from '../../journeys/user.ts'
import { openWorld } from '../../journeys/world.ts'
import type { Gateway } from '../../sandbox/gateway.ts'

export type PaidWorld = Awaited<ReturnType<typeof openPaidWorld>>

export async function openPaidWorld(overrides: Record<string, string> = {}) {
  const env = { ...makerEnv, MAX_SLIDES: '20', MAX_CONTENT_CHARS: '1000', ...overrides }
  const world = await openWorld({
    shape: 'B1',
    credentials: makerCredentials,
    env,
    loginLimit: null,
  })
  const database = openDatabase({ url: world.database.url, poolMax: 2 })
  return {
    world,
    database,
    async close() {
      await database.close()
      await world.close()
    },
  }
}

export type Body = Record<string, unknown>

export interface CallOptions {
  method?: string
  body?: Body | FormData
  headers?: Record<string, string>
  /** Ends the request, as a browser does that closes a tab. */
  signal?: AbortSignal
  /** Default: the first of the world. */
  gateway?: Gateway
  /** Calls with the same name have one session of the maker. */
  session?: string
}

/** `worldOf` is asked at each call, since the world opens after the tests are defined. */
export function createCalls(worldOf: () => PaidWorld['world']) {
  const browsers = new Map<string, Promise<MakerBrowser>>()

  function browserOf(user: User, { gateway, session = '' }: CallOptions): Promise<MakerBrowser> {
    const { makerUrl = '' } = gateway ?? worldOf().gateways[0] ?? {}
    const key = `${user.sub} ${session} ${makerUrl}`
    const browser = browsers.get(key) ?? signInToMaker(user, () => makerUrl)
    browsers.set(key, browser)
    return browser
  }

  /** A path without a slash at its start is below `/api/v1/ppt`. */
  async function call(user: User, path: string, options: CallOptions = {}) {
    const { method, body, headers = {}, signal } = options
    const browser = await browserOf(user, options)
    return browser.fetch(path.startsWith('/') ? path : `/api/v1/ppt/${path}`, {
      method: method ?? (body ? 'POST' : 'GET'),
      headers,
      body,
      signal,
    })
  }

  return {
    call,
    async read(user: User, path: string, options: CallOptions = {}) {
      const response = await call(user, path, options)
      return { status: response.status, body: (await response.json()) as Body & { id?: string } }
    },
    /** A document that a person opens, by a link or from a restored tab. */
    open: async (user: User, path: string) => (await browserOf(user, {})).open(path),
  }
}

export async function messagesOf(response: Promise<Response>): Promise<Body[]> {
  const text = await (await response).text()
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, json = '']) => JSON.parse(json))
}

/** A run that waits before its first slide, until the gates are released. */
export async function submitHeldInSlides(world: PaidWorld['world'], user: User) {
  const { gates } = world.presenton
  gates.hold('slides:slide')
  const { id } = await user.submit()
  await gates.arrived('slides:slide')
  return { id, deckId: String((await user.read(id))['presenton_presentation_id']) }
}
