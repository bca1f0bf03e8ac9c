/**
 * The shapes of Presenton that the stand-in can take, as data: which features each has.
 *
 * Upstream changed by features, not by one switch. A1 is 0.5.14 to 0.7.3, T is 0.8.x, B1 is 0.9.x
 * up to 0.9.3, B2 is what came after. Recorded traffic exists for A1 (0.7.3) and B1 (0.9.3); T and
 * B2 follow upstream's documentation and source.
 */

export type Shape = 'A1' | 'T' | 'B1' | 'B2'

export const shapes: readonly Shape[] = ['A1', 'T', 'B1', 'B2']

export type Features = {
  /**
   * none: everything is public. single: one admin; cookie, Bearer session or Basic. users: cookie
   * or API key.
   */
  auth: 'none' | 'single' | 'users'
  /** What `prepare` wants as `layout`, and whether it answers with the whole row or only the id. */
  layout: 'object' | 'id'
  /** Extra route for exports; `edit` with no slides exports in every shape. */
  exportRoute:
    | '/api/v1/ppt/presentation/export'
    | '/api/v1/ppt/presentation/{id}/export'
    | undefined
  /** Exports are named after the title: refused when too long (A), or cut to 200 bytes. */
  longTitle: 'refused' | 'cut'
  /** Since 0.9.3 exports move to exports/users/<uid>. */
  exportsPerUser: boolean
  /** GET and PUT /outlines/{id}. */
  outlineRoutes: boolean
  /** Final pictures come as `slide_assets` events, and a limit of 50 slides holds. */
  slideAssets: boolean
  /** Slides carry `ui`, rows carry `version` and `fonts`. */
  ui: boolean
  /** PATCH without `theme` sets it to null. */
  patchLosesTheme: boolean
  templates: 'next' | 'list' | 'pages'
  asyncTasks: boolean
  generationMode: boolean
  /**
   * Two slide streams of one deck at once: both runs are kept (A1 on Postgres), or the last wins.
   */
  doublesSlides: boolean
  /** What the outlines stream says before the model speaks. */
  outlineStatuses: readonly string[]
  /** Outlines are cut to so many words. */
  outlineWords: number
  /**
   * A model's failure comes as provider's raw text and 500 (A, T), or as a friendly text with its
   * own status (B).
   */
  modelErrors: 'raw' | 'friendly'
}

const oldStatus = ['Generating presentation outlines...']
const newStatuses = ['Preparing your presentation outline', 'Drafting your presentation outline']

const a1: Features = {
  auth: 'none',
  layout: 'object',
  exportRoute: '/api/v1/ppt/presentation/export',
  longTitle: 'refused',
  exportsPerUser: false,
  outlineRoutes: false,
  slideAssets: false,
  ui: false,
  patchLosesTheme: false,
  templates: 'next',
  asyncTasks: false,
  generationMode: false,
  doublesSlides: true,
  outlineStatuses: oldStatus,
  outlineWords: Number.POSITIVE_INFINITY,
  modelErrors: 'raw',
}

const t: Features = {
  ...a1,
  auth: 'single',
  exportRoute: undefined,
  longTitle: 'cut',
  outlineRoutes: true,
  slideAssets: true,
  patchLosesTheme: true,
  templates: 'list',
  doublesSlides: false,
}

const b1: Features = {
  ...t,
  auth: 'users',
  layout: 'id',
  exportsPerUser: true,
  ui: true,
  templates: 'pages',
  asyncTasks: true,
  outlineStatuses: newStatuses,
  outlineWords: 100,
  modelErrors: 'friendly',
}

const b2: Features = {
  ...b1,
  exportRoute: '/api/v1/ppt/presentation/{id}/export',
  generationMode: true,
}

export const featuresOf: Readonly<Record<Shape, Features>> = { A1: a1, T: t, B1: b1, B2: b2 }
