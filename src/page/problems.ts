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
  if (error.code === 'NETWORK_ERROR') {
    return 'No connection to the gateway. Check your network and try again.'
  }
  const [first] = error.problem?.errors ?? []
  const detail = first ? `${error.message} (${first.message})` : error.message
  const { retryAfterMs } = error
  return retryAfterMs === undefined || retryAfterMs < 1000
    ? detail
    : `${detail} Possible again in ${timeLeft(retryAfterMs)}.`
}
