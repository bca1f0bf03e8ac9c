// Who uses the page. The token becomes the session cookie and is kept nowhere else; one that is too
// long for a cookie stays in this tab's memory.

import { signal } from '@preact/signals'
import { createClient, GatewayError } from '../client/client.ts'
import { dropDrafts } from './drafts.ts'
import { messageOf } from './problems.ts'
import { randomHex } from './random.ts'
import { base, loginUrl } from './settings.ts'
import { sharedFetch } from './shared-streams.ts'

export type Session = 'checking' | 'out' | 'in' | 'unreachable'

export const session = signal<Session>('checking')
/** Why the gateway cannot be asked who this is. */
export const unreachableNote = signal('')
/** Why the sign-in is shown. */
export const signInNote = signal('')
/** Images need it where there is no cookie. */
export const memoryToken = signal<string | undefined>(undefined)

const baseUrl = location.origin + base
const stateKey = 'sign-in-state'
/** Other tabs share the cookie. */
const tabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('session')

const open = (token?: string) => createClient({ baseUrl, token, fetch: sharedFetch })

export let gateway = open()

/** Reads what a login page returned, removes it from the URL, and finds out who is signed in. */
export async function startSession(): Promise<void> {
  const returned = new URLSearchParams(location.hash.slice(1))
  const token = returned.get('token')
  if (token === null) return checkSession()
  history.replaceState(history.state, '', location.pathname + location.search)
  const expected = readState()
  if (expected === null || returned.get('state') !== expected) return checkSession()
  await signIn(token).catch((error: unknown) => {
    signInNote.value = messageOf(error)
    session.value = 'out'
  })
}

export async function checkSession(): Promise<void> {
  try {
    await gateway.usage.get()
    session.value = 'in'
  } catch (error) {
    if (isSignedOut(error)) session.value = 'out'
    else {
      unreachableNote.value = messageOf(error)
      session.value = 'unreachable'
    }
  }
}

/** @throws GatewayError when the gateway refuses the token */
export async function signIn(token: string): Promise<void> {
  const withToken = open(token)
  try {
    await withToken.session.open()
    gateway = open()
    memoryToken.value = undefined
    tabs?.postMessage('changed')
  } catch (error) {
    const isTooLong = error instanceof GatewayError && error.code === 'VALIDATION_FAILED'
    if (!isTooLong) throw error
    gateway = withToken
    memoryToken.value = token
  }
  signInNote.value = ''
  session.value = 'in'
}

export async function signOut(): Promise<void> {
  await gateway.session.close()
  dropDrafts()
  endSession('You have signed out.')
  tabs?.postMessage('changed')
}

function endSession(note: string): void {
  gateway = open()
  memoryToken.value = undefined
  signInNote.value = note
  session.value = 'out'
}

/** Whether the error means that the user is no longer signed in, which this shows. */
export function noticeSignedOut(error: unknown): boolean {
  if (!isSignedOut(error)) return false
  if (session.value === 'in') endSession('Your session has ended. Sign in again to go on.')
  return true
}

function isSignedOut(error: unknown): boolean {
  return (
    error instanceof GatewayError &&
    (error.code === 'AUTHENTICATION_FAILED' || error.code === 'TOKEN_EXPIRED')
  )
}

/** The login page with where to return to, and a value that only this tab knows. */
export function openLoginPage(): void {
  const state = randomHex()
  sessionStorage.setItem(stateKey, state)
  const url = new URL(loginUrl)
  url.searchParams.set('return_to', location.origin + location.pathname)
  url.searchParams.set('state', state)
  location.assign(url)
}

function readState(): string | null {
  const state = sessionStorage.getItem(stateKey)
  sessionStorage.removeItem(stateKey)
  return state
}

tabs?.addEventListener('message', () => {
  if (memoryToken.value !== undefined) return
  session.value = 'checking'
  void checkSession()
})
