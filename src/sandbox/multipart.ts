// The multipart operations that s3rver leaves out: list the unfinished uploads of a bucket, list the parts of one, abort one. Without
// the first, the minio client can't upload a stream of unknown size; the others show what a client does with what it left behind.

import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Context, Store } from '@20minutes/s3rver'

/** Whether the request is one of these. s3rver refuses them as unknown, but only after it has checked the signature. */
export function isMultipartRequest({ method, query }: Context): boolean {
  return (method === 'GET' && ('uploads' in query || 'uploadId' in query)) || (method === 'DELETE' && 'uploadId' in query)
}

/** Answers such a request, whose signature is known to be good. */
export function answerMultipart(ctx: Context, store: Store): void {
  const [bucket = '', ...rest] = decodeURIComponent(ctx.path).slice(1).split('/')
  const folder = store.getResourcePath(bucket, undefined, 'uploads')
  if ('uploads' in ctx.query) {
    const prefix = String(ctx.query['prefix'] ?? '')
    const found = listUploads(folder).filter(({ key }) => key.startsWith(prefix))
    return respond(ctx, 200, 'ListMultipartUploadsResult', [
      ['Bucket', bucket],
      ['Prefix', prefix],
      ['MaxUploads', '1000'],
      ['IsTruncated', 'false'],
      ...found.map(({ key, id, at }): Element => ['Upload', [['Key', key], ['UploadId', id], ['Initiated', at]]]),
    ])
  }
  const id = String(ctx.query['uploadId'])
  const upload = listUploads(folder).find((one) => one.id === id && one.key === rest.join('/'))
  if (!upload) return respond(ctx, 404, 'Error', [['Code', 'NoSuchUpload'], ['Message', 'The specified upload does not exist.']])
  if (ctx.method === 'DELETE') {
    rmSync(join(folder, id), { recursive: true, force: true })
    ctx.status = 204
    return
  }
  respond(ctx, 200, 'ListPartsResult', [
    ['Bucket', bucket],
    ['Key', upload.key],
    ['UploadId', id],
    ['MaxParts', '1000'],
    ['IsTruncated', 'false'],
    ...listParts(join(folder, id)).map(({ number, size, md5, at }): Element => [
      'Part',
      [['PartNumber', String(number)], ['LastModified', at], ['ETag', `"${md5}"`], ['Size', String(size)]],
    ]),
  ])
}

function listUploads(folder: string) {
  if (!existsSync(folder)) return []
  return readdirSync(folder).map((id) => {
    const file = join(folder, id, 'key')
    return { id, key: readFileSync(file, 'utf8'), at: statSync(file).mtime.toISOString() }
  })
}

function listParts(folder: string) {
  // Beside each part lies its MD5, written once the part is whole.
  const numbers = readdirSync(folder).flatMap((name) => (/^\d+\.md5$/.test(name) ? [Number.parseInt(name, 10)] : []))
  return numbers
    .sort((a, b) => a - b)
    .map((number) => {
      const { size, mtime } = statSync(join(folder, String(number)))
      return { number, size, md5: readFileSync(join(folder, `${number}.md5`), 'utf8'), at: mtime.toISOString() }
    })
}

type Element = [name: string, content: string | Element[]]

function respond(ctx: Context, status: number, name: string, content: Element[]): void {
  ctx.status = status
  ctx.type = 'application/xml'
  ctx.body = `<?xml version="1.0" encoding="UTF-8"?>\n${encode([name, content])}`
}

function encode([name, content]: Element): string {
  const inside = typeof content === 'string' ? content.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`) : content.map(encode).join('')
  return `<${name}>${inside}</${name}>`
}
