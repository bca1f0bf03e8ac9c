// What the gateway responds to itself.

import type { Row } from './row.ts'

export const localRows: Row[] = [
  { method: 'GET', path: '/api/v1/auth/status', class: 'local', handler: 'authStatus' },
  { method: 'POST', path: '/api/v1/auth/logout', class: 'local', handler: 'logout' },
  { method: 'GET', path: '/api/can-change-keys', class: 'local', handler: 'canChangeKeys' },
  { method: 'GET', path: '/api/runtime-config', class: 'local', handler: 'runtimeConfig' },
  { method: 'GET', path: '/api/has-required-key', class: 'local', handler: 'hasRequiredKey' },
  { method: 'GET', path: '/api/telemetry-status', class: 'local', handler: 'telemetryStatus' },
]
