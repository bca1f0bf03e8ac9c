// The only module that knows how the versions of Presenton differ. They differ in single features,
// which it reads from upstream's auth status and OpenAPI document. Version numbers say nothing, and
// trying a route could start paid work.
//
// 0.5.14 to 0.7.3: no login, layouts as objects, exports named by title. 0.8: one admin, no export
// route. 0.9: users, layouts by id. After 0.9.3: an export route for each deck, and a smart mode
// that the gateway never uses.

import type { ExportFormat } from '../contract/presentation.ts'
import type { AuthKind, Credentials } from './account.ts'

export interface Features {
  auth: AuthKind
  /** An administrator can make accounts for users. */
  hasUsers: boolean
  /** What `prepare` expects: the whole layout of a template, or the template's id. */
  layout: 'object' | 'id'
  /**
   * `export` names the file after the deck's title. `edit` with no slides changes nothing and
   * exports.
   */
  exportRoute: 'export' | 'edit' | 'deck-export'
  templates: 'groups' | 'list' | 'paged'
  /** `create` expects a generation mode. */
  smart: boolean
  /** How its model changes one slide; null where it cannot. */
  slideEdit: 'slide' | 'chat' | null
  /** A route that stores one slide, without the others. */
  hasSlideUpdate: boolean
  /** It makes decks with its blank slide. */
  hasBlankSlide: boolean
}

export interface DeckBrief {
  /** The text to present. */
  content: string
  nSlides: number
  language: string
  tone: string
  verbosity: string
  instructions?: string | undefined
  includeTitleSlide: boolean
  includeTableOfContents: boolean
  webSearch: boolean
  /** Handles of uploaded documents. */
  filePaths?: string[] | undefined
}

const api = '/api/v1/ppt'
const segment = encodeURIComponent

/** All versions have their routes for decks and templates below it. */
export const apiPrefix = `${api}/`

/** The routes that all supported versions share. */
export const paths = {
  authStatus: '/api/v1/auth/status',
  verify: '/api/v1/auth/verify',
  login: '/api/v1/auth/login',
  users: '/api/v1/admin/users',
  userPassword: (id: string) => `/api/v1/admin/users/${segment(id)}/password`,
  openapi: '/openapi.json',
  create: `${api}/presentation/create`,
  prepare: `${api}/presentation/prepare`,
  upload: `${api}/files/upload`,
  decompose: `${api}/files/decompose`,
  readFile: '/api/read-file',
  uploadImage: `${api}/images/upload`,
  image: (id: string) => `${api}/images/${segment(id)}`,
  images: (kind: 'generated' | 'uploaded') => `${api}/images/${kind}`,
  searchImages: (query: URLSearchParams) => `${api}/images/search?${query}`,
  update: `${api}/presentation/update`,
  slideUpdate: `${api}/presentation/slide_update`,
  slideEdit: `${api}/slide/edit`,
  chat: `${api}/chat/message`,
  chatStream: `${api}/chat/message/stream`,
  createBlank: `${api}/presentation/create/blank`,
  generateImage: (prompt: string) => `${api}/images/generate?prompt=${segment(prompt)}`,
  conversation: (deckId: string, conversationId: string) =>
    `${api}/chat/conversation?presentation_id=${segment(deckId)}&conversation_id=${segment(conversationId)}`,
  deck: (deckId: string) => `${api}/presentation/${segment(deckId)}`,
  duplicate: (deckId: string) => `${api}/presentation/${segment(deckId)}/duplicate`,
  outlines: (deckId: string) => `${api}/outlines/${segment(deckId)}`,
  outlinesStream: (deckId: string) => `${api}/outlines/stream/${segment(deckId)}`,
  slidesStream: (deckId: string) => `${api}/presentation/stream/${segment(deckId)}`,
  groups: '/api/templates',
  group: (id: string) => `/api/template?group=${segment(id)}`,
  customGroups: `${api}/template-management/summary`,
  template: (id: string) => `${api}/template/${segment(id)}`,
  templateList: `${api}/template/all?include_defaults=true`,
  templatePage: (page: number) => `${api}/template/all?page=${page}&page_size=100`,
}

export function createBody(brief: DeckBrief, { smart }: Features) {
  return {
    content: brief.content,
    n_slides: brief.nSlides,
    language: brief.language,
    tone: brief.tone,
    verbosity: brief.verbosity,
    ...(brief.instructions !== undefined && { instructions: brief.instructions }),
    include_title_slide: brief.includeTitleSlide,
    include_table_of_contents: brief.includeTableOfContents,
    web_search: brief.webSearch,
    ...(brief.filePaths?.length && { file_paths: brief.filePaths }),
    ...(smart && { generation_mode: 'standard' }),
  }
}

export function exportRequest(
  { deckId, format }: { deckId: string; format: ExportFormat },
  { exportRoute }: Features,
): { path: string; json: unknown } {
  if (exportRoute === 'deck-export')
    return { path: `${paths.deck(deckId)}/export`, json: { export_as: format } }
  if (exportRoute === 'export')
    return { path: `${api}/presentation/export`, json: { id: deckId, export_as: format } }
  return {
    path: `${api}/presentation/edit`,
    json: { presentation_id: deckId, slides: [], export_as: format },
  }
}

/**
 * Whether the title alone is known to name the exported file. Of later versions the name tells
 * whether there is an id in it.
 */
export const namesFilesByTitle = ({ exportRoute }: Features): boolean => exportRoute === 'export'

/** How to authenticate, read from the public auth status; undefined if `body` is not one. */
export function authKindOf(
  status: number,
  body: unknown,
  { credentials, apiKey }: { credentials?: Credentials | undefined; apiKey?: string | undefined },
): AuthKind | undefined {
  if (status === 404) return 'none'
  if (status !== 200 || typeof body !== 'object' || body === null || !('configured' in body))
    return undefined
  // The request had no credentials, so `authenticated` means that the login is switched off.
  if ('authenticated' in body && body.authenticated === true) return 'none'
  // Only versions with users have these members. They accept keys, and no longer Basic.
  if (!('role' in body || 'user_id' in body)) return credentials ? 'basic' : 'none'
  if (apiKey !== undefined) return 'key'
  return credentials ? 'cookie' : 'none'
}

type Tree = { [key: string]: Tree | undefined } | undefined

/**
 * The features that an OpenAPI document shows; undefined for a version before 0.5.14, whose routes
 * take ids as query parameters.
 */
export function featuresOf(document: unknown, auth: AuthKind): Features | undefined {
  const root = document as NonNullable<Tree>
  // The names of path parameters differ between versions.
  const routes = new Map(
    Object.entries(root.paths ?? {}).map(([path, route]) => [
      path.replace(/\{[^}]*\}/g, '{}'),
      route,
    ]),
  )
  const required = [
    paths.create,
    paths.prepare,
    `${api}/presentation/stream/{}`,
    `${api}/outlines/stream/{}`,
    `${api}/presentation/{}`,
  ]
  if (required.some((path) => !routes.has(path))) return undefined
  const layout = bodyFieldOf(root, routes.get(paths.prepare), 'layout')
  const list = routes.get(`${api}/template/all`)
  return {
    auth,
    hasUsers: mayHaveUsers(auth) && routes.get(paths.users)?.post !== undefined,
    layout: acceptsString(layout) ? 'id' : 'object',
    exportRoute: routes.get(`${api}/presentation/{}/export`)?.post
      ? 'deck-export'
      : routes.get(`${api}/presentation/export`)?.post
        ? 'export'
        : 'edit',
    templates:
      list === undefined ? 'groups' : isPaged(list, acceptsString(layout)) ? 'paged' : 'list',
    smart: bodyFieldOf(root, routes.get(paths.create), 'generation_mode') !== undefined,
    slideEdit: slideEditOf(routes, acceptsString(layout)),
    hasSlideUpdate: routes.get(paths.slideUpdate)?.patch !== undefined,
    hasBlankSlide: routes.get(`${paths.create}/blank`)?.post !== undefined,
  }
}

/** Where no login is needed, all have one account. */
const mayHaveUsers = (auth: AuthKind) => auth === 'cookie' || auth === 'key'

/**
 * Where layouts are ids, the route for one slide fails for every deck, or changes only what is not
 * drawn. There the chat changes slides.
 */
function slideEditOf(routes: ReadonlyMap<string, Tree>, hasLayoutIds: boolean) {
  const [kind, path] = hasLayoutIds
    ? (['chat', paths.chat] as const)
    : (['slide', paths.slideEdit] as const)
  return routes.get(path)?.post === undefined ? null : kind
}

/**
 * The likely features of an upstream without an OpenAPI document: those of the recorded version
 * with the same kind of login.
 */
export function guessedFeatures(status: number, statusBody: unknown, auth: AuthKind): Features {
  const hasUsers = typeof statusBody === 'object' && statusBody !== null && 'role' in statusBody
  const common = {
    auth,
    hasUsers: hasUsers && mayHaveUsers(auth),
    exportRoute: status === 404 ? 'export' : 'edit',
    smart: false,
    hasSlideUpdate: hasUsers,
    hasBlankSlide: hasUsers,
  } as const
  return hasUsers
    ? { ...common, layout: 'id', templates: 'paged', slideEdit: 'chat' }
    : {
        ...common,
        layout: 'object',
        templates: status === 404 ? 'groups' : 'list',
        slideEdit: 'slide',
      }
}

/** The schema of one field of a POST's JSON body. */
function bodyFieldOf(root: NonNullable<Tree>, route: Tree, field: string): Tree {
  const body = route?.post?.requestBody?.content?.['application/json']?.schema
  return resolveReference(root, body)?.properties?.[field]
}

function resolveReference(root: NonNullable<Tree>, schema: Tree): Tree {
  const reference: unknown = schema?.$ref
  if (typeof reference !== 'string') return schema
  return root.components?.schemas?.[reference.split('/').at(-1) ?? '']
}

function acceptsString(schema: Tree): boolean {
  const options = [schema, ...(Array.isArray(schema?.anyOf) ? (schema.anyOf as Tree[]) : [])]
  return options.some((option) => (option?.type as unknown) === 'string')
}

/** Without listed parameters, layouts by id suggest pages: both came with 0.9. */
function isPaged(route: Tree, hasLayoutIds: boolean): boolean {
  const parameters: unknown = route?.get?.parameters
  return Array.isArray(parameters)
    ? parameters.some((parameter: Tree) => (parameter?.name as unknown) === 'page')
    : hasLayoutIds
}
