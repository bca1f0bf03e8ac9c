/**
 * POST /files/upload and /files/decompose, and what the latter read. Uploads are temporary files,
 * named by paths of upstream's disk, and gone after its next start. They are kept in memory here: A
 * writes wherever a name leads.
 */

import { randomUUID } from 'node:crypto'
import { basename, dirname, extname } from 'node:path'
import { documentText } from '../content/document-text.ts'
import { errorDetail, json, nextJsJson, type Reply, validationFailed } from '../reply.ts'
import type { Features } from '../shape.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { missingField, readObject } from './validation.ts'

const path = '/api/v1/ppt/files'

export const uploadRoutes: readonly Route[] = [
  { method: 'POST', path: `${path}/upload`, operation: 'upload', handle: upload },
  { method: 'POST', path: `${path}/decompose`, operation: 'decompose', handle: decompose },
  { method: 'POST', path: '/api/read-file', operation: 'read-file', handle: readText },
]

const pptx = 'application/vnd.openxmlformats-officedocument.presentationml.presentation'
const docx = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
const firstTypes = ['application/pdf', 'text/plain', pptx, 'application/msword', docx]

/** As 0.9.3 lists them in its refusal. */
const laterTypes = [
  ...['application/pdf', 'text/plain', 'text/markdown', 'application/msword', docx],
  'application/vnd.ms-word.document.macroenabled.12',
  'application/vnd.oasis.opendocument.text',
  ...['application/rtf', 'text/rtf', 'application/vnd.ms-powerpoint', pptx],
  'application/vnd.ms-powerpoint.presentation.macroenabled.12',
  ...['application/vnd.oasis.opendocument.presentation', 'application/vnd.ms-excel'],
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  'application/vnd.ms-excel.sheet.macroenabled.12',
  'application/vnd.oasis.opendocument.spreadsheet',
  ...['text/csv', 'application/csv', 'text/tab-separated-values', 'text/tsv', 'image/jpeg'],
  ...['image/png', 'image/gif', 'image/bmp', 'image/tiff', 'image/webp', '.pdf', '.txt', '.doc'],
  ...['.docx', '.docm', '.odt', '.rtf', '.ppt', '.pptx', '.pptm', '.odp', '.xls', '.xlsx', '.xlsm'],
  ...['.ods', '.csv', '.tsv', '.jpg', '.jpeg', '.png', '.gif', '.bmp', '.tiff', '.tif', '.webp'],
]

const maxBytes = 100 * 1024 * 1024

async function upload(state: StandInState, exchange: Exchange): Promise<Reply> {
  const features = state.features()
  const files = await readFiles(exchange)
  if (files.length === 0) return validationFailed([missingField('files')])
  for (const file of files) {
    const refusal = refusalOf(file, features)
    if (refusal) return errorDetail(400, refusal)
  }
  const user = features.exportsPerUser ? `/${exchange.user.id}` : ''
  const folder = `/tmp/presenton${user}/${randomUUID()}`
  const paths: string[] = []
  for (const file of files) {
    const name = isFirst(features) ? file.name : basename(file.name)
    const bytes = Buffer.from(await file.arrayBuffer())
    paths.push(`${folder}/${name}`)
    state.tempFiles.set(`${folder}/${name}`, { type: file.type, bytes })
  }
  return json(paths)
}

/** 0.5.14 to 0.7.3 look at the content type alone, and keep `../` in names. */
const isFirst = ({ templates }: Features) => templates === 'next'

function refusalOf({ name, type, size }: File, features: Features): string | undefined {
  const accepted = isFirst(features) ? firstTypes : laterTypes
  if (size > maxBytes) return `File '${name}' exceeded max upload size of 100 MB`
  const isAccepted = accepted.includes(type) || accepted.includes(extname(name).toLowerCase())
  if (isAccepted) return undefined
  const list = accepted.map((one) => `'${one}'`).join(', ')
  return `File '${name}' not accepted. Accepted types: [${list}]`
}

export async function readFiles({ request, readBody }: Exchange, part = 'files'): Promise<File[]> {
  const contentType = request.headers['content-type'] ?? ''
  if (!contentType.startsWith('multipart/form-data')) return []
  const body = new Uint8Array(await readBody())
  const response = new Response(body, { headers: { 'content-type': contentType } })
  return (await response.formData()).getAll(part).filter((file) => file instanceof File)
}

async function decompose(state: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { file_paths: paths } = body.value
  if (!Array.isArray(paths)) return validationFailed([missingField('file_paths')])
  const refusal = refusalOfPaths(state, exchange, paths.map(String))
  if (refusal) return refusal
  const folder = `${dirname(dirname(String(paths[0])))}/${randomUUID()}`
  const isText = (file: string) => file.endsWith('.txt')
  const read: { name: string; file_path: string }[] = []
  for (const file of paths.map(String).filter((one) => !isText(one))) {
    const text = (await readDocuments(state, [file])) ?? ''
    const path = `${folder}/${randomUUID()}.txt`
    state.tempFiles.set(path, { type: 'text/plain', bytes: Buffer.from(text) })
    read.push({ name: basename(file), file_path: path })
  }
  // Texts come last, as they are.
  const texts = paths.map(String).filter(isText)
  return json([...read, ...texts.map((file) => ({ name: basename(file), file_path: file }))])
}

/** Next.js reads JSON of any content type. */
async function readText(state: StandInState, exchange: Exchange): Promise<Reply> {
  const { filePath } = JSON.parse((await exchange.readBody()).toString()) as { filePath: string }
  if (!filePath.startsWith(`/tmp/presenton/${exchange.user.id}/`))
    return nextJsJson({ error: 'Access denied: File path not allowed' }, 403)
  const found = state.tempFiles.get(filePath)
  if (!found) return nextJsJson({ error: 'File not found' }, 404)
  return nextJsJson({ content: found.bytes.toString('utf8') })
}

/** B confines paths to the user's folder. Undefined when it takes them. */
export function refusalOfPaths(
  state: StandInState,
  { user }: Exchange,
  paths: readonly string[],
): Reply | undefined {
  const features = state.features()
  if (!features.hasSlideUi) return undefined
  const folder = `/tmp/presenton/${user.id}/`
  if (paths.some((file) => !file.startsWith(folder) || file.includes('/../')))
    return errorDetail(400, 'File path must stay within the temp directory')
  return paths.every((file) => state.tempFiles.has(file))
    ? undefined
    : errorDetail(404, 'File not found')
}

/** What the documents of a deck say; undefined when one of them is gone. */
export async function readDocuments(
  state: StandInState,
  paths: readonly string[],
): Promise<string | undefined> {
  const texts: string[] = []
  for (const file of paths) {
    const found = state.tempFiles.get(file)
    if (!found) return undefined
    texts.push(await documentText({ ...found, name: basename(file) }))
  }
  return texts.join('\n\n')
}
