// Documents and images of the user.

import { ppt, type Row } from './row.ts'

export const fileRows: Row[] = [
  {
    method: 'POST',
    path: `${ppt}/files/upload`,
    class: 'file',
    handler: 'uploadFiles',
    body: 'multipart',
  },
  {
    method: 'POST',
    path: `${ppt}/files/decompose`,
    class: 'file',
    handler: 'readDocuments',
    body: 'json',
  },
  { method: 'POST', path: '/api/read-file', class: 'file', handler: 'readText', body: 'json' },
  {
    method: 'POST',
    path: `${ppt}/images/upload`,
    class: 'file',
    handler: 'uploadImage',
    body: 'multipart',
  },
  { method: 'GET', path: `${ppt}/images/uploaded`, class: 'file', handler: 'uploadedImages' },
  { method: 'GET', path: `${ppt}/images/generated`, class: 'file', handler: 'generatedImages' },
  {
    method: 'GET',
    path: `${ppt}/images/search`,
    class: 'file',
    handler: 'searchImages',
    isUnsafe: true,
  },
  { method: 'DELETE', path: `${ppt}/images/:id`, class: 'file', handler: 'deleteImage' },
]
