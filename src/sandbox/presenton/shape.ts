/**
 * The shapes of Presenton's API, as sets of features, since upstream changed one feature at a time.
 *
 * A1 is 0.5.14 to 0.7.3, T is 0.8.x, B1 is 0.9.x up to 0.9.3, B2 is every later version. Comments
 * write A for A1, and B for B1 and B2. Recorded traffic exists for 0.7.3 and 0.9.3; the other
 * versions follow upstream's documentation and source.
 */

export type Shape = 'A1' | 'T' | 'B1' | 'B2'

export const shapes: readonly Shape[] = ['A1', 'T', 'B1', 'B2']

export type Features = {
  /**
   * none: everything is public. single: one admin, with cookie, Bearer session or Basic. users:
   * cookie or API key.
   */
  auth: 'none' | 'single' | 'users'
  /** The type of `layout` in `prepare`; with an object the reply is the whole row, else the id. */
  layout: 'object' | 'id'
  /**
   * POST /slide/edit changes the slide's content; since 0.9.2 it fails for every deck that was
   * prepared there.
   */
  slideEditWorks: boolean
  /** The chat that works on a deck. */
  hasChat: boolean
  /** PATCH /presentation/slide_update. */
  hasSlideUpdate: boolean
  /** POST /presentation/create/blank. */
  hasBlankDeck: boolean
  /** Decks are shown with their theme. */
  showsTheme: boolean
  /** A separate route for exports; `edit` without slides exports in every shape. */
  exportRoute:
    | '/api/v1/ppt/presentation/export'
    | '/api/v1/ppt/presentation/{id}/export'
    | undefined
  /** Exports are named after the title. A long one fails (A) or is truncated to 200 bytes. */
  longTitle: 'fails' | 'truncated'
  /**
   * A UUID in the names of exports. Upstream's maintainers say so of the versions after 0.9.3; the
   * older ones are unknown, so the stand-in has the worse case there.
   */
  exportsHaveIds: boolean
  /** Since 0.9.3, exports are in exports/users/<uid>. */
  exportsPerUser: boolean
  /** GET and PUT /outlines/{id}. */
  hasOutlineRoutes: boolean
  /** Final images come as `slide_assets` events, and a deck has at most 50 slides. */
  hasSlideAssets: boolean
  /** Slides have `ui`, rows have `version` and `fonts`. */
  hasSlideUi: boolean
  /** PATCH without `theme` sets it to null. */
  patchResetsTheme: boolean
  templates: 'next' | 'list' | 'pages'
  hasAsyncTasks: boolean
  hasGenerationMode: boolean
  /** Two concurrent slide streams of one deck: both keep their slides (A1), or only the last. */
  keepsConcurrentSlides: boolean
  /** Status events of the outlines stream before the first text of the model. */
  outlineStatuses: readonly string[]
  /** Outlines are truncated to this many words. */
  maxOutlineWords: number
  /**
   * Errors of the model: the provider's text with status 500 (A, T), or upstream's text with a
   * status of its own (B).
   */
  modelErrors: 'raw' | 'friendly'
}

const oldStatus = ['Generating presentation outlines...']
const newStatuses = ['Preparing your presentation outline', 'Drafting your presentation outline']

const a1: Features = {
  auth: 'none',
  layout: 'object',
  slideEditWorks: true,
  hasChat: false,
  hasSlideUpdate: false,
  hasBlankDeck: false,
  showsTheme: true,
  exportRoute: '/api/v1/ppt/presentation/export',
  longTitle: 'fails',
  exportsHaveIds: false,
  exportsPerUser: false,
  hasOutlineRoutes: false,
  hasSlideAssets: false,
  hasSlideUi: false,
  patchResetsTheme: false,
  templates: 'next',
  hasAsyncTasks: false,
  hasGenerationMode: false,
  keepsConcurrentSlides: true,
  outlineStatuses: oldStatus,
  maxOutlineWords: Number.POSITIVE_INFINITY,
  modelErrors: 'raw',
}

const t: Features = {
  ...a1,
  auth: 'single',
  hasChat: true,
  exportRoute: undefined,
  longTitle: 'truncated',
  hasOutlineRoutes: true,
  hasSlideAssets: true,
  patchResetsTheme: true,
  templates: 'list',
  keepsConcurrentSlides: false,
}

const b1: Features = {
  ...t,
  auth: 'users',
  layout: 'id',
  slideEditWorks: false,
  hasSlideUpdate: true,
  hasBlankDeck: true,
  showsTheme: false,
  exportsPerUser: true,
  hasSlideUi: true,
  templates: 'pages',
  hasAsyncTasks: true,
  outlineStatuses: newStatuses,
  maxOutlineWords: 100,
  modelErrors: 'friendly',
}

const b2: Features = {
  ...b1,
  showsTheme: true,
  exportsHaveIds: true,
  exportRoute: '/api/v1/ppt/presentation/{id}/export',
  hasGenerationMode: true,
}

export const featuresOf: Readonly<Record<Shape, Features>> = { A1: a1, T: t, B1: b1, B2: b2 }
