/**
 * The framing of upstream's event streams: always the event `response`, one data line, Python's
 * spacing.
 */

import { spacedJson } from './python-json.ts'

export function frame(value: unknown): string {
  return `event: response\ndata: ${spacedJson(value)}\n\n`
}

export const streamHeaders = { 'content-type': 'text/event-stream; charset=utf-8' }
