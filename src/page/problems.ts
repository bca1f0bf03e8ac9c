// Failures in words: those of the problem document, next to the field that they are about.

import { GatewayError } from '../client/client.ts'
import { timeLeft } from './format.ts'

export interface Trouble {
  message: string
  /** By the first member of the path that the problem names. */
  fields: Record<string, string>
}

export const noTrouble: Trouble = { message: '', fields: {} }

export function toTrouble(error: unknown): Trouble {
  const fields: Record<string, string> = {}
  if (!(error instanceof GatewayError)) return { message: messageOf(error), fields }
  for (const { path, message } of error.problem?.errors ?? []) {
    const [name = ''] = path.split('/').filter(Boolean)
    fields[name] ??= message
  }
  return { message: messageOf(error), fields }
}

export function messageOf(error: unknown): string {
  if (!(error instanceof GatewayError)) return 'Something went wrong. Try again.'
  const { code, status, requestId, retryAfterMs } = error
  if (code === 'NETWORK_ERROR') {
    return 'No connection to the gateway. Check your network and try again.'
  }
  if (code === 'UNEXPECTED_RESPONSE') {
    return `Something on the way to the gateway has refused this (status ${status}). Try again in a moment.`
  }
  const [first] = error.problem?.errors ?? []
  const detail = first ? `${error.message} (${first.message})` : error.message
  if (code === 'INTERNAL_ERROR' && requestId) {
    return `${detail} Try again. If it stays, tell your operator this number: ${requestId}`
  }
  return retryAfterMs === undefined || retryAfterMs < 1000
    ? detail
    : `${detail} Possible again in ${timeLeft(retryAfterMs)}.`
}

/** No connection, or none in time: whether the gateway has done it is unknown. */
export const isLost = (error: unknown): boolean =>
  error instanceof GatewayError && (error.status === 0 || error.status >= 500)

/** The page shows a state that is no longer the present one. */
export const isOutdated = (error: unknown): boolean =>
  error instanceof GatewayError && [404, 409, 412].includes(error.status)
