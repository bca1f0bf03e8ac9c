/**
 * The operations of Presenton's API. Gates, faults and the journal use these names.
 */

export const operations = [
  'auth-status',
  'verify',
  'setup',
  'login',
  'logout',
  'token',
  'users', // the admin makes, lists, changes and removes them
  'openapi',
  'upload',
  'decompose',
  'read-file',
  'create',
  'outlines', // the stream: paid work
  'read-outlines',
  'write-outlines',
  'prepare',
  'slides', // the stream: paid work
  'read', // GET /presentation/{id}
  'list', // GET /presentation/all
  'update',
  'slide-update',
  'slide-edit', // one slide by a prompt: paid work
  'chat', // POST /chat/message: paid work
  'chat-stream', // POST /chat/message/stream: paid work
  'conversations',
  'duplicate',
  'delete',
  'export',
  'generate-image', // paid work
  'images', // the lists of an account
  'upload-image',
  'delete-image',
  'search-images',
  'templates',
  'template',
  'file', // /app_data/exports
  'asset', // images, /static
  'other',
] as const

export type Operation = (typeof operations)[number]

/** Operations whose route returns a Reply; the routes of streams and files write the response. */
export type Replied = Exclude<Operation, Streamed | 'file'>
type Streamed = 'outlines' | 'slides' | 'chat-stream'

const streamed: readonly Operation[] = ['outlines', 'slides', 'chat-stream'] satisfies Streamed[]

export function isReplied(operation: Operation): operation is Replied {
  return operation !== 'file' && !streamed.includes(operation)
}
