// For tests that are driven by the table: what a user has that rows can name, and for each row a
// request that is right for this user. A row that needs more than its ids says so here; without
// that its request fails for the user, too.

import type { MakerBrowser, MakerRequest } from '../../journeys/maker-browser.ts'
import type { User } from '../../journeys/user.ts'
import { png } from '../../sandbox/documents.ts'
import { formOf, notes } from '../files/test-world.ts'
import type { Row } from './row.ts'

// biome-ignore lint/suspicious/noExplicitAny: bodies of upstream.
type Body = Record<string, any>

export type Owned = Awaited<ReturnType<typeof createOwned>>

export const named = (row: Row) => `${row.method} ${row.path.replaceAll(/\(.*\)/g, '')}`

export const isUnsafe = ({ method, isUnsafe }: Row) => method !== 'GET' || isUnsafe === true

const ppt = '/api/v1/ppt'

/** One of everything that a row can name. */
export async function createOwned(user: User, browser: MakerBrowser) {
  async function read(path: string, request: MakerRequest = {}): Promise<Body> {
    const method = request.method ?? (request.body ? 'POST' : 'GET')
    const response = await browser.fetch(path, { ...request, method })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Body
  }
  async function createDraft(): Promise<string> {
    const body = { content: 'The bridge. The ferry. The port.', n_slides: 3 }
    const { id } = await read(`${ppt}/presentation/create`, { body })
    const [newest] = (await user.api('/presentations?limit=1')).body.items
    await user.waitUntilSettled(newest.id)
    return id
  }
  const deckId = String((await user.generate())['presenton_presentation_id'])
  const { slides } = await read(`${ppt}/presentation/${deckId}`)
  const message = { presentation_id: deckId, message: 'tool:none' }
  const picture = formOf([{ name: 'a.png', content: await png() }], 'file')
  const [document = ''] = (await read(`${ppt}/files/upload`, {
    body: formOf([notes]),
  })) as unknown as string[]
  const [text] = await read(`${ppt}/files/decompose`, { body: { file_paths: [document] } }).then(
    (found) => found as unknown as Body[],
  )
  const uploaded = await read(`${ppt}/images/upload`, { body: picture })
  const exported = await read('/api/export-presentation', { body: { id: deckId, format: 'pptx' } })
  return {
    deckId,
    slide: slides[0] as Body,
    /** One is a copy, which may be deleted. */
    copyId: String((await read(`${ppt}/presentation/${deckId}/duplicate`, { body: {} }))['id']),
    /** They await approval. */
    draftId: await createDraft(),
    otherDraftId: await createDraft(),
    conversationId: String(
      (await read(`${ppt}/chat/message`, { body: message }))['conversation_id'],
    ),
    picture: String(uploaded['path']),
    pictureId: String(uploaded['id']),
    document,
    text: String(text?.['file_path']),
    file: String(exported['path']),
  }
}

/** The deck that a row is used on. */
function deckOf({ path, method }: Row, owned: Owned): string {
  if (path === `${ppt}/presentation/:id` && method === 'DELETE') return owned.copyId
  if (path.startsWith(`${ppt}/outlines/`)) return owned.draftId
  return path === `${ppt}/presentation/prepare` ? owned.otherDraftId : owned.deckId
}

const outlines = [{ content: '# One' }, { content: '# Two' }]

/** What rows need in their query beside ids. */
const queries: Record<string, (owned: Owned) => Record<string, string>> = {
  '/api/update-svg': () => ({ url: '/static/icons/placeholder.svg' }),
  '/_next/image': () => ({ url: '/logo.png', w: '64', q: '75' }),
  '/api/template': () => ({ group: 'general' }),
  '/api/export-presentation/file': ({ file }) => ({ name: file.replace(/^.*name=/, '') }),
  [`${ppt}/presentation/all`]: () => ({ version: 'v2-standard' }),
  [`${ppt}/chat/conversation`]: ({ conversationId }) => ({ conversation_id: conversationId }),
  [`${ppt}/chat/history`]: ({ conversationId }) => ({ conversation_id: conversationId }),
  [`${ppt}/images/generate`]: () => ({ prompt: 'river' }),
  [`${ppt}/images/search`]: () => ({ query: 'river' }),
}

/** What rows need in their body beside ids. */
const bodies: Record<string, (owned: Owned) => Body> = {
  '/api/read-file': ({ text }) => ({ filePath: text }),
  '/api/export-presentation': () => ({ format: 'pptx' }),
  [`${ppt}/files/decompose`]: ({ document }) => ({ file_paths: [document] }),
  [`${ppt}/presentation/create`]: ({ document }) => ({ content: 'x', file_paths: [document] }),
  [`${ppt}/presentation/prepare`]: () => ({ outlines, layout: 'general', title: 'Mine' }),
  [`${ppt}/presentation/slide_update`]: ({ slide }) => ({ slide: { ...slide } }),
  [`${ppt}/presentation/update`]: ({ slide }) => ({ title: 'Mine', slides: [{ ...slide }] }),
  [`${ppt}/outlines/:id`]: () => ({ slides: outlines }),
  [`${ppt}/chat/message`]: () => ({ message: 'tool:none' }),
  [`${ppt}/chat/message/stream`]: () => ({ message: 'tool:none' }),
}

/** What stands in a path for its parameters that name no deck. */
function fill({ path, ids = [] }: Row, owned: Owned, deckId: string): string {
  return path
    .replace('/app_data/images/*', owned.picture)
    .replace('*', 'icons/placeholder.svg')
    .replaceAll(/:(\w+)\((?:[^()]|\([^()]*\))*\)/g, (_, name) =>
      name === 'folder' ? 'providers' : 'Logo.svg',
    )
    .replaceAll(/:(\w+)/g, (_, name) => {
      if (ids.includes(`path.${name}`)) return deckId
      return name === 'id' ? owned.pictureId : 'general'
    })
}

/** A new one for each call, because a form can be sent only once. */
export async function requestOf(row: Row, owned: Owned) {
  const { method, path, ids = [], body } = row
  const deckId = deckOf(row, owned)
  const query = new URLSearchParams(queries[path]?.(owned))
  const json = bodies[path]?.(owned) ?? {}
  for (const place of ids) {
    const [part, ...steps] = place.split('.')
    if (part === 'query') query.set(steps[0] ?? '', deckId)
    if (part === 'body') put(json, steps, deckId)
  }
  const isImage = path.endsWith('/images/upload')
  const form = isImage ? formOf([{ name: 'a.png', content: await png() }], 'file') : formOf([notes])
  return {
    target: `${fill(row, owned, deckId)}${query.size > 0 ? `?${query}` : ''}`,
    request: { method, ...(body && { body: body === 'multipart' ? form : json }) },
  }
}

function put(container: Body, [step = '', ...rest]: string[], id: string): void {
  const name = step.replace('[]', '')
  if (rest.length === 0) container[name] = id
  else if (step.endsWith('[]')) {
    container[name] ??= [{}]
    for (const entry of container[name]) put(entry, rest, id)
  } else {
    container[name] ??= {}
    put(container[name], rest, id)
  }
}

/** Whether a request names something that is this user's. */
export function namesOwned(
  { target, request: { body } }: Awaited<ReturnType<typeof requestOf>>,
  owned: Owned,
) {
  const sent = `${target} ${body instanceof FormData ? '' : JSON.stringify(body ?? '')}`
  const marks = [owned.deckId, owned.copyId, owned.draftId, owned.otherDraftId, owned.picture]
  const others = [owned.pictureId, owned.document, owned.text, owned.file.replace(/^.*name=/, '')]
  return [...marks, ...others].some((mark) => sent.includes(mark))
}
