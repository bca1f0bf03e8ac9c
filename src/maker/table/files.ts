// Documents and pictures of the user.

import { ppt, type Row } from './row.ts'

export const fileRows: Row[] = [
  {
    method: 'POST',
    path: `${ppt}/files/upload`,
    class: 'file',
    handler: 'uploadFiles',
    body: 'multipart',
  },
]
