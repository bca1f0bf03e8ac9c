// The multipart operations that s3rver lacks: list the unfinished uploads of a bucket, list the
// parts of an upload, abort an upload. The minio client needs the first to upload a stream of
// unknown size. Tests need the others to see how a client cleans up.

import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Context, Store } from '@20minutes/s3rver'

/** Whether s3rver lacks this operation. It rejects such a request after checking the signature. */
export function isMultipartRequest({ method, query }: Context): boolean {
  return (
    (method === 'GET' && ('uploads' in query || 'uploadId' in query)) ||
    (method === 'DELETE' && 'uploadId' in query)
  )
}

/** Responds to such a request. The caller has checked the signature. */
export function handleMultipartRequest(ctx: Context, store: Store): void {
  const [bucket = '', ...rest] = decodeURIComponent(ctx.path).slice(1).split('/')
  const folder = store.getResourcePath(bucket, undefined, 'uploads')
  const { status, body } = handle(ctx, { folder, bucket, key: rest.join('/') })
  ctx.status = status
  if (!body) return
  ctx.type = 'application/xml'
  ctx.body = `<?xml version="1.0" encoding="UTF-8"?>\n${encode(body)}`
}

function handle(
  { method, query }: Context,
  { folder, bucket, key }: { folder: string; bucket: string; key: string },
): MultipartResponse {
  const uploads = listUploads(folder)
  if ('uploads' in query) {
    const prefix = String(query['prefix'] ?? '')
    const Upload = uploads
      .filter((upload) => upload.key.startsWith(prefix))
      .map((upload) => ({ Key: upload.key, UploadId: upload.id, Initiated: upload.at }))
    const result = {
      Bucket: bucket,
      Prefix: prefix,
      MaxUploads: 1000,
      IsTruncated: 'false',
      Upload,
    }
    return { status: 200, body: { ListMultipartUploadsResult: result } }
  }
  const id = String(query['uploadId'])
  if (!uploads.some((upload) => upload.id === id && upload.key === key)) {
    const error = { Code: 'NoSuchUpload', Message: 'The specified upload does not exist.' }
    return { status: 404, body: { Error: error } }
  }
  if (method === 'DELETE') {
    rmSync(join(folder, id), { recursive: true, force: true })
    return { status: 204 }
  }
  const Part = listParts(join(folder, id)).map(({ number, at, md5, size }) => ({
    PartNumber: number,
    LastModified: at,
    ETag: `"${md5}"`,
    Size: size,
  }))
  const result = {
    Bucket: bucket,
    Key: key,
    UploadId: id,
    MaxParts: 1000,
    IsTruncated: 'false',
    Part,
  }
  return { status: 200, body: { ListPartsResult: result } }
}

function listUploads(folder: string) {
  if (!existsSync(folder)) return []
  return readdirSync(folder).map((id) => {
    const file = join(folder, id, 'key')
    return { id, key: readFileSync(file, 'utf8'), at: statSync(file).mtime.toISOString() }
  })
}

function listParts(folder: string) {
  // s3rver writes a part's MD5 beside it once the part is complete.
  const numbers = readdirSync(folder).flatMap((name) =>
    /^\d+\.md5$/.test(name) ? [Number.parseInt(name, 10)] : [],
  )
  return numbers
    .sort((a, b) => a - b)
    .map((number) => {
      const { size, mtime } = statSync(join(folder, String(number)))
      return {
        number,
        size,
        md5: readFileSync(join(folder, `${number}.md5`), 'utf8'),
        at: mtime.toISOString(),
      }
    })
}

interface MultipartResponse {
  status: number
  body?: Elements
}

/** XML elements by name. An array makes one element for each of its items. */
interface Elements {
  [name: string]: string | number | Elements | Elements[]
}

function encode(elements: Elements): string {
  return Object.entries(elements)
    .flatMap(([name, content]) =>
      [content]
        .flat()
        .map(
          (item) =>
            `<${name}>${typeof item === 'object' ? encode(item) : escapeXml(item)}</${name}>`,
        ),
    )
    .join('')
}

const escapeXml = (text: string | number) =>
  String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
