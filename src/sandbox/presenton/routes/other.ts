/**
 * The rest of what a gateway may touch: the health of Next.js, background tasks, and a start page.
 */

import { detail, json, next, type Reply } from '../reply.ts'
import type { Route } from '../world.ts'

const home =
  '<!DOCTYPE html><html lang="en"><head><title>Presenton (stand-in)</title></head><body>A stand-in for Presenton: no model here.</body></html>'

export const otherRoutes: readonly Route[] = [
  { method: 'GET', path: '/', operation: 'other', open: true, act: startPage },
  {
    method: 'GET',
    path: '/api/telemetry-status',
    operation: 'other',
    open: true,
    act: () => next({ telemetryEnabled: false }),
  },
  {
    method: 'GET',
    path: '/api/user-config',
    operation: 'other',
    act: () => next({ error: 'You are not allowed to access this resource', status: 403 }),
  },
  {
    method: 'GET',
    path: '/api/v1/async-tasks',
    operation: 'other',
    when: ({ asyncTasks }) => asyncTasks,
    act: () => json([]),
  },
  {
    method: 'GET',
    path: '/api/v1/async-tasks/status/{id}',
    operation: 'other',
    when: ({ asyncTasks }) => asyncTasks,
    act: () => detail(404, 'No presentation generation task found'),
  },
]

function startPage(): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8', 'x-powered-by': 'Next.js' },
    body: Buffer.from(home),
  }
}
