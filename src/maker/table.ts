// Every route of upstream's interface that has an answer here. What is in no row is 404, or 405
// where the path has a row for another method, and upstream is not called.
//
// A class says who answers, and what is checked before:
//   asset   a public file of the interface: needs no session, goes upstream without an account
//   page    a page of the interface: sign-in without a session, goes upstream under the account
//   shared  read-only, of everybody or of the account: goes upstream under the account
//   local   answered here
//   own     a deck of the user: goes upstream under the account, and comes back under our title
//   paid    costs money, runs a model or a browser; a handler in paid/
// `ids` says where the ids of decks are. Each must be of a presentation of this user.

export type RowClass = 'asset' | 'page' | 'shared' | 'local' | 'own' | 'paid'

/** A place in the path, the query, or the JSON of the body. */
export type IdPlace = `path.${string}` | `query.${string}` | `body.${string}`

export interface Row {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** As Fastify writes it. */
  path: string
  class: RowClass
  /** The name of its handler; rows that only go upstream have none. */
  handler?: string
  ids?: readonly IdPlace[]
  /** What the body is. JSON may come as text/plain. Without it no body is taken. */
  body?: 'json' | 'multipart'
  /** What these parameters of the query must match. */
  query?: Readonly<Record<string, RegExp>>
  /** A GET that changes or spends, so it must come from our own pages. */
  isUnsafe?: true
}

const ppt = '/api/v1/ppt'

/** Files of the interface beside /_next/static: known extensions, at most one folder deep. */
const file = String.raw`:file(^[\w-][\w.-]*\.(?:png|jpe?g|svg|gif|webp|avif|ico|woff2?|ttf|webmanifest)$)`
const folder = String.raw`:folder(^(?!api$|app_data$|static$|_next$)[a-z][\w-]*$)`

const assets: Row[] = [
  { method: 'GET', path: '/_next/static/*', class: 'asset' },
  { method: 'GET', path: `/${file}`, class: 'asset' },
  { method: 'GET', path: `/${folder}/${file}`, class: 'asset' },
]

const pages: Row[] = [
  { method: 'GET', path: '/', class: 'page' },
  { method: 'GET', path: '/dashboard', class: 'page' },
  { method: 'GET', path: '/upload', class: 'page' },
  { method: 'GET', path: '/documents-preview', class: 'page' },
  { method: 'GET', path: '/outline', class: 'page' },
  {
    method: 'GET',
    path: '/presentation',
    class: 'page',
    handler: 'presentationPage',
    ids: ['query.id'],
  },
  { method: 'GET', path: '/templates', class: 'page' },
  { method: 'GET', path: '/template-preview', class: 'page' },
  { method: 'GET', path: '/theme', class: 'page' },
]

const plainIcon = /^\/static\/icons\/[\w-]+(?:\/[\w-]+)*\.svg$/
const plainFile =
  /^\/(?!api\/|app_data\/|_next\/)[\w-]+(?:\/[\w-]+)*\.(?:png|jpe?g|svg|gif|webp|avif|ico)$/

const sharedRows: Row[] = [
  ...[
    ...['/static/*', '/app_data/templates/*', '/app_data/fonts/*', '/app_data/images/*'],
    ...[`${ppt}/template/all`, `${ppt}/template/:name`, `${ppt}/icons/search`],
    ...[`${ppt}/themes/default`, `${ppt}/themes/all`, `${ppt}/fonts/uploaded`],
    ...[`${ppt}/fonts/list`, `${ppt}/images/generated`, `${ppt}/images/uploaded`],
    ...['/api/templates', '/api/template', '/api/v1/async-tasks'],
  ].map((path): Row => ({ method: 'GET', path, class: 'shared' })),
  { method: 'GET', path: '/api/update-svg', class: 'shared', query: { url: plainIcon } },
  { method: 'GET', path: '/_next/image', class: 'shared', query: { url: plainFile } },
  ...[`${ppt}/chat/conversations`, `${ppt}/chat/history`].map(
    (path): Row => ({ method: 'GET', path, class: 'shared', ids: ['query.presentation_id'] }),
  ),
]

const ownRows: Row[] = [
  { method: 'GET', path: `${ppt}/presentation/:id`, class: 'own', ids: ['path.id'] },
]

const localRows: Row[] = [
  { method: 'GET', path: '/api/v1/auth/status', class: 'local', handler: 'authStatus' },
  { method: 'POST', path: '/api/v1/auth/logout', class: 'local', handler: 'logout' },
  { method: 'GET', path: '/api/can-change-keys', class: 'local', handler: 'canChangeKeys' },
  { method: 'GET', path: '/api/runtime-config', class: 'local', handler: 'runtimeConfig' },
  { method: 'GET', path: '/api/has-required-key', class: 'local', handler: 'hasRequiredKey' },
  { method: 'GET', path: '/api/telemetry-status', class: 'local', handler: 'telemetryStatus' },
]

const paidRows: Row[] = [
  {
    method: 'POST',
    path: `${ppt}/presentation/create`,
    class: 'paid',
    handler: 'create',
    body: 'json',
  },
  {
    method: 'POST',
    path: `${ppt}/presentation/create/blank`,
    class: 'paid',
    handler: 'createBlank',
    body: 'json',
  },
  {
    method: 'POST',
    path: `${ppt}/presentation/:id/duplicate`,
    class: 'paid',
    handler: 'duplicate',
    ids: ['path.id'],
    body: 'json',
  },
  {
    method: 'GET',
    path: `${ppt}/outlines/stream/:id`,
    class: 'paid',
    handler: 'streamOutlines',
    ids: ['path.id'],
    isUnsafe: true,
  },
  {
    method: 'GET',
    path: `${ppt}/outlines/:id`,
    class: 'paid',
    handler: 'readOutlines',
    ids: ['path.id'],
  },
  {
    method: 'PUT',
    path: `${ppt}/outlines/:id`,
    class: 'paid',
    handler: 'saveOutlines',
    ids: ['path.id'],
    body: 'json',
  },
  {
    method: 'POST',
    path: `${ppt}/presentation/prepare`,
    class: 'paid',
    handler: 'prepare',
    ids: ['body.presentation_id'],
    body: 'json',
  },
  {
    method: 'GET',
    path: `${ppt}/presentation/stream/:id`,
    class: 'paid',
    handler: 'streamSlides',
    ids: ['path.id'],
    isUnsafe: true,
  },
  {
    method: 'POST',
    path: '/api/export-presentation',
    class: 'paid',
    handler: 'exportDeck',
    ids: ['body.id'],
    body: 'json',
  },
  {
    method: 'GET',
    path: '/api/export-presentation/file',
    class: 'paid',
    handler: 'exportedFile',
  },
  {
    method: 'POST',
    path: `${ppt}/chat/message`,
    class: 'paid',
    handler: 'chatMessage',
    ids: ['body.presentation_id'],
    body: 'json',
  },
  {
    method: 'POST',
    path: `${ppt}/chat/message/stream`,
    class: 'paid',
    handler: 'chatStream',
    ids: ['body.presentation_id'],
    body: 'json',
  },
  {
    method: 'GET',
    path: `${ppt}/images/generate`,
    class: 'paid',
    handler: 'generateImage',
    isUnsafe: true,
  },
]

/** All rows. A row whose handler does not exist is no route. */
export const table: readonly Row[] = [
  ...assets,
  ...pages,
  ...sharedRows,
  ...ownRows,
  ...localRows,
  ...paidRows,
]
