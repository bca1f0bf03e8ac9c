/**
 * Images: by a prompt, which costs money at every call, uploaded, and found at a provider of
 * stock images. Each belongs to the account that made it.
 */

import { randomUUID } from 'node:crypto'
import { basename, extname } from 'node:path'
import { placeholderPng } from '../content/images.ts'
import { pause } from '../pace.ts'
import { errorDetail, json, noContent, type Reply, validationFailed } from '../reply.ts'
import type { Exchange, Route, StandInState, StoredImage } from '../state.ts'
import { readFiles } from './uploads.ts'
import { missingField } from './validation.ts'

const path = '/api/v1/ppt/images'

export const imageRoutes: readonly Route[] = [
  { method: 'GET', path: `${path}/generate`, operation: 'generate-image', handle: generate },
  { method: 'GET', path: `${path}/generated`, operation: 'images', handle: list(false) },
  { method: 'GET', path: `${path}/uploaded`, operation: 'images', handle: list(true) },
  { method: 'GET', path: `${path}/search`, operation: 'search-images', handle: search },
  { method: 'POST', path: `${path}/upload`, operation: 'upload-image', handle: upload },
  { method: 'DELETE', path: `${path}/{id}`, operation: 'delete-image', handle: remove },
]

const extensions = ['.avif', '.bmp', '.gif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp']

function folderOf(state: StandInState, { user }: Exchange): string {
  return `/app_data/images${state.features().exportsPerUser ? `/users/${user.id}` : ''}`
}

function add(
  state: StandInState,
  exchange: Exchange,
  {
    name,
    ...image
  }: Pick<StoredImage, 'isUploaded' | 'type' | 'bytes' | 'prompt'> & {
    name: string
  },
): string {
  const stored = `${folderOf(state, exchange)}/${name}`
  const createdAt = new Date().toISOString().replace('Z', '000')
  state.images.set(stored, { id: randomUUID(), userId: exchange.user.id, createdAt, ...image })
  return stored
}

const shown = ([stored, { id, createdAt, isUploaded, prompt }]: [string, StoredImage]) => ({
  id,
  created_at: createdAt,
  is_uploaded: isUploaded,
  path: stored,
  extras: prompt === undefined ? null : { prompt, theme_prompt: null },
  file_url: stored,
})

async function generate(state: StandInState, exchange: Exchange): Promise<Reply> {
  const prompt = exchange.url.searchParams.get('prompt')
  if (prompt === null) return validationFailed([missingField('prompt')])
  state.spendCounter.countImage()
  await pause(state.pace.prepareMs)
  const image = { isUploaded: false, type: 'image/png', bytes: placeholderPng, prompt }
  return json(add(state, exchange, { name: `${randomUUID()}.png`, ...image }))
}

/** Of the account, newest first. */
function list(isUploaded: boolean) {
  return ({ images }: StandInState, { user }: Exchange): Reply =>
    json(
      [...images]
        .filter(([, image]) => image.userId === user.id && image.isUploaded === isUploaded)
        .reverse()
        .map(shown),
    )
}

async function upload(state: StandInState, exchange: Exchange): Promise<Reply> {
  const [file] = await readFiles(exchange, 'file')
  if (!file) return validationFailed([missingField('file')])
  const extension = extname(file.name).toLowerCase()
  if (!extensions.includes(extension))
    return errorDetail(400, `Invalid image file type. Accepted types: ${extensions.join(', ')}`)
  const bytes = Buffer.from(await file.arrayBuffer())
  if (bytes.length < 16) return errorDetail(400, 'Uploaded file is not a valid image')
  const name = `${basename(file.name, extname(file.name))}----${randomUUID()}${extension}`
  const stored = add(state, exchange, { name, isUploaded: true, type: file.type, bytes })
  return json(shown([stored, state.images.get(stored) as StoredImage]))
}

/** Upstream turns its own 404 into a 500. */
function remove({ images }: StandInState, { params, user }: Exchange): Reply {
  const [found] = [...images].find(([, { id }]) => id === params.id) ?? []
  if (found === undefined || images.get(found)?.userId !== user.id)
    return errorDetail(500, 'Failed to delete image: 404: Image not found')
  images.delete(found)
  return noContent()
}

function search(_state: StandInState, { url }: Exchange): Reply {
  const query = url.searchParams.get('query')
  if (query === null) return validationFailed([missingField('query')])
  const count = Number(url.searchParams.get('limit') ?? 12)
  const name = encodeURIComponent(query)
  return json(
    Array.from({ length: count }, (_, i) => `https://images.example/${name}-${i + 1}.jpeg`),
  )
}
