/**
 * Other routes that a gateway may call: the health of Next.js, background tasks, and a start page.
 */

import { errorDetail, json, nextJsJson, type Reply } from '../reply.ts'
import type { Route } from '../state.ts'

const home =
  '<!DOCTYPE html><html lang="en"><head><title>Presenton (stand-in)</title></head><body>A stand-in for Presenton, without a model.</body></html>'

export const otherRoutes: readonly Route[] = [
  { method: 'GET', path: '/', operation: 'other', isPublic: true, handle: startPage },
  {
    method: 'GET',
    path: '/api/telemetry-status',
    operation: 'other',
    isPublic: true,
    handle: () => nextJsJson({ telemetryEnabled: false }),
  },
  {
    method: 'GET',
    path: '/api/user-config',
    operation: 'other',
    handle: () => nextJsJson({ error: 'You are not allowed to access this resource', status: 403 }),
  },
  {
    method: 'GET',
    path: '/api/v1/async-tasks',
    operation: 'other',
    isAvailable: ({ hasAsyncTasks }) => hasAsyncTasks,
    handle: () => json([]),
  },
  {
    method: 'GET',
    path: '/api/v1/async-tasks/status/{id}',
    operation: 'other',
    isAvailable: ({ hasAsyncTasks }) => hasAsyncTasks,
    handle: () => errorDetail(404, 'No presentation generation task found'),
  },
]

function startPage(): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'x-powered-by': 'Next.js' },
    body: Buffer.from(home),
  }
}
