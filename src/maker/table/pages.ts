// Pages of the interface, and its files that are public.

import type { Row } from './row.ts'

/** Files of the interface beside /_next/static: known extensions, at most one folder deep. */
const file = String.raw`:file(^[\w-][\w.-]*\.(?:png|jpe?g|svg|gif|webp|avif|ico|woff2?|ttf|webmanifest)$)`
const folder = String.raw`:folder(^(?!api$|app_data$|static$|_next$)[a-z][\w-]*$)`

export const assets: Row[] = [
  { method: 'GET', path: '/_next/static/*', class: 'asset' },
  { method: 'GET', path: `/${file}`, class: 'asset' },
  { method: 'GET', path: `/${folder}/${file}`, class: 'asset' },
]

export const pages: Row[] = [
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
