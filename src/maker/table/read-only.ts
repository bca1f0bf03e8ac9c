// What is read-only, of everybody or of the account.

import { ppt, type Row } from './row.ts'

const plainIcon = /^\/static\/icons\/[\w-]+(?:\/[\w-]+)*\.svg$/
const plainFile =
  /^\/(?!api\/|app_data\/|_next\/)[\w-]+(?:\/[\w-]+)*\.(?:png|jpe?g|svg|gif|webp|avif|ico)$/

export const readOnlyRows: Row[] = [
  ...[
    ...['/static/*', '/app_data/templates/*', '/app_data/fonts/*', '/app_data/images/*'],
    ...[`${ppt}/template/all`, `${ppt}/template/:name`, `${ppt}/icons/search`],
    ...[`${ppt}/themes/default`, `${ppt}/themes/all`, `${ppt}/fonts/uploaded`],
    ...[`${ppt}/fonts/list`, '/api/templates', '/api/template', '/api/v1/async-tasks'],
  ].map((path): Row => ({ method: 'GET', path, class: 'shared' })),
  { method: 'GET', path: '/api/update-svg', class: 'shared', query: { url: plainIcon } },
  { method: 'GET', path: '/_next/image', class: 'shared', query: { url: plainFile } },
  ...[`${ppt}/chat/conversations`, `${ppt}/chat/history`].map(
    (path): Row => ({ method: 'GET', path, class: 'shared', ids: ['query.presentation_id'] }),
  ),
]
