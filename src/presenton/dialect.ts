// The one module that knows in what the versions of Presenton differ. They differ in features, one
// by one, so features are read from what upstream says of itself (its auth status and its OpenAPI
// document), never from a version number, and never by trying a call. 0.5.14 to 0.7.3: no login,
// layouts as objects, exports named by title. 0.8: one admin, no export route. 0.9: users, layouts
// by id. After 0.9.3: an export route of the deck, and a smart mode that this gateway never asks
// for.

import type { AuthKind, Credentials } from './login.ts'

export interface Features {
  auth: AuthKind
  /** What `prepare` takes: the whole layout of a template, or its id. */
  layout: 'object' | 'id'
  /** GET /outlines/{id}. */
  outlinesReadable: boolean
  /**
   * `export` names the file by the deck's title; `edit` with no slides changes nothing and exports.
   */
  exportRoute: 'export' | 'edit' | 'deck-export'
  templates: 'groups' | 'list' | 'paged'
  smart: boolean
}

export interface DeckBrief {
  /** The conversation summary. */
  content: string
  nSlides: number
  language: string
  tone: string
  verbosity: string
  instructions?: string | undefined
  includeTitleSlide: boolean
  includeTableOfContents: boolean
  webSearch: boolean
}

export type FileFormat = 'pptx' | 'pdf'

const api = '/api/v1/ppt'
const segment = encodeURIComponent

/** The routes that every supported version has in common. */
export const paths = {
  authStatus: '/api/v1/auth/status',
  login: '/api/v1/auth/login',
  openapi: '/openapi.json',
  create: `${api}/presentation/create`,
  prepare: `${api}/presentation/prepare`,
  update: `${api}/presentation/update`,
  deck: (deckId: string) => `${api}/presentation/${segment(deckId)}`,
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

/** What this version's create takes. */
export function createBody(deck: DeckBrief, { smart }: Features) {
  return {
    content: deck.content,
    n_slides: deck.nSlides,
    language: deck.language,
    tone: deck.tone,
    verbosity: deck.verbosity,
    ...(deck.instructions !== undefined && { instructions: deck.instructions }),
    include_title_slide: deck.includeTitleSlide,
    include_table_of_contents: deck.includeTableOfContents,
    web_search: deck.webSearch,
    ...(smart && { generation_mode: 'standard' }),
  }
}

export function exportCall(
  deckId: string,
  format: FileFormat,
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
 * Where the file is named by the title alone, that has to be new before each export. Later versions
 * name it by more than that, and their PATCH forgets the deck's theme unless it is sent along,
 * which their GET does not always show: there the title of `prepare` stays. What an export that was
 * given up writes there, late, is the same deck; a file that was overwritten under way is refused,
 * and exported again.
 */
export const namesFilesByTitle = ({ exportRoute }: Features): boolean => exportRoute === 'export'

/**
 * How to prove who we are, from the public auth status; undefined when this is no auth status at
 * all.
 */
export function authKindOf(
  status: number,
  body: unknown,
  { credentials, apiKey }: { credentials?: Credentials | undefined; apiKey?: string | undefined },
): AuthKind | undefined {
  if (status === 404) return 'none'
  if (status !== 200 || typeof body !== 'object' || body === null || !('configured' in body))
    return undefined
  // Asked without credentials, only an upstream with its login switched off calls us authenticated.
  if ('authenticated' in body && body.authenticated === true) return 'none'
  // Only versions with users say which one; they take keys, and no Basic any more.
  if (!('role' in body || 'user_id' in body)) return credentials ? 'basic' : 'none'
  if (apiKey !== undefined) return 'key'
  return credentials ? 'cookie' : 'none'
}

type Tree = { [key: string]: Tree | undefined } | undefined

/**
 * The features in an OpenAPI document; undefined for a version before 0.5.14, whose routes take ids
 * as queries.
 */
export function featuresOf(document: unknown, auth: AuthKind): Features | undefined {
  const root = document as NonNullable<Tree>
  // The names of path parameters have changed between versions.
  const routes = new Map(
    Object.entries(root.paths ?? {}).map(([path, route]) => [
      path.replace(/\{[^}]*\}/g, '{}'),
      route,
    ]),
  )
  const needed = [
    paths.create,
    paths.prepare,
    `${api}/presentation/stream/{}`,
    `${api}/outlines/stream/{}`,
    `${api}/presentation/{}`,
  ]
  if (needed.some((path) => !routes.has(path))) return undefined
  const layout = fieldOf(root, routes.get(paths.prepare), 'layout')
  const list = routes.get(`${api}/template/all`)
  return {
    auth,
    layout: takesString(layout) ? 'id' : 'object',
    outlinesReadable: routes.get(`${api}/outlines/{}`)?.get !== undefined,
    exportRoute: routes.get(`${api}/presentation/{}/export`)?.post
      ? 'deck-export'
      : routes.get(`${api}/presentation/export`)?.post
        ? 'export'
        : 'edit',
    templates:
      list === undefined ? 'groups' : isPaged(list, takesString(layout)) ? 'paged' : 'list',
    smart: fieldOf(root, routes.get(paths.create), 'generation_mode') !== undefined,
  }
}

/**
 * The likeliest features where the document is switched off: what the recorded version of each kind
 * of login has.
 */
export function guessedFeatures(status: number, statusBody: unknown, auth: AuthKind): Features {
  if (status === 404)
    return {
      auth,
      layout: 'object',
      outlinesReadable: false,
      exportRoute: 'export',
      templates: 'groups',
      smart: false,
    }
  const users = typeof statusBody === 'object' && statusBody !== null && 'role' in statusBody
  const rest = { auth, exportRoute: 'edit', outlinesReadable: false, smart: false } as const
  return users
    ? { ...rest, layout: 'id', templates: 'paged' }
    : { ...rest, layout: 'object', templates: 'list' }
}

/** The schema of one field of a POST's JSON body. */
function fieldOf(root: NonNullable<Tree>, route: Tree, field: string): Tree {
  const body = route?.post?.requestBody?.content?.['application/json']?.schema
  return resolved(root, body)?.properties?.[field]
}

function resolved(root: NonNullable<Tree>, schema: Tree): Tree {
  const reference: unknown = schema?.$ref
  if (typeof reference !== 'string') return schema
  return root.components?.schemas?.[reference.split('/').at(-1) ?? '']
}

function takesString(schema: Tree): boolean {
  const options = [schema, ...(Array.isArray(schema?.anyOf) ? (schema.anyOf as Tree[]) : [])]
  return options.some((option) => (option?.type as unknown) === 'string')
}

/**
 * A document that keeps silent about the parameters leaves the likelier: pages came with layouts by
 * id.
 */
function isPaged(route: Tree, byId: boolean): boolean {
  const parameters: unknown = route?.get?.parameters
  return Array.isArray(parameters)
    ? parameters.some((parameter: Tree) => (parameter?.name as unknown) === 'page')
    : byId
}
