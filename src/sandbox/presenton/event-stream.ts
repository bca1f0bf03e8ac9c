/**
 * One event of upstream's streams: always named `response`, with one data line spaced like Python's
 * `json.dumps`.
 */

import { spacedJson } from './python-json.ts'

export function frame(value: unknown): string {
  return `event: response\ndata: ${spacedJson(value)}\n\n`
}

export const streamHeaders = { 'content-type': 'text/event-stream; charset=utf-8' }
