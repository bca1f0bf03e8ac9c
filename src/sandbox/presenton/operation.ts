/**
 * The names of what a caller can ask for. Gates, faults and the journal all speak of these.
 */

export const operations = [
  'auth-status',
  'verify',
  'setup',
  'login',
  'logout',
  'token',
  'openapi',
  'create',
  'outlines', // the stream: paid work
  'read-outlines',
  'write-outlines',
  'prepare',
  'slides', // the stream: paid work
  'read', // GET /presentation/{id}
  'list', // GET /presentation/all
  'update',
  'delete',
  'export',
  'templates',
  'template',
  'file', // /app_data/exports
  'asset', // pictures, /static
  'other',
] as const

export type Operation = (typeof operations)[number]

/** Answered in one piece; the others are streams and files, which the route writes itself. */
export type Replied = Exclude<Operation, 'outlines' | 'slides' | 'file'>

export function isReplied(operation: Operation): operation is Replied {
  return operation !== 'outlines' && operation !== 'slides' && operation !== 'file'
}
