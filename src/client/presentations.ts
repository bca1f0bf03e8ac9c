// Presentations: made, followed, changed and downloaded.

import type { GatewayError } from './errors.ts'
import type { FollowOptions } from './follow-events.ts'
import { iteratePages } from './pages.ts'
import type { Requests } from './requests.ts'
import { createSlides } from './slides.ts'
import type { Timing } from './timing.ts'
import type {
  ApprovedOutlines,
  Brief,
  CallOptions,
  CreatingOptions,
  Download,
  ExportFormat,
  MakerLink,
  Outlines,
  Presentation,
  PresentationEvent,
  Status,
  Ticket,
} from './types.ts'

export interface PresentationsOptions {
  requests: Requests
  follow: (
    id: string,
    options?: FollowOptions,
  ) => AsyncGenerator<PresentationEvent, void, undefined>
  timing: Timing
}

export interface WaitOptions extends CallOptions {
  /** Called with each state that differs from the one before. */
  onProgress?: ((presentation: Presentation) => void) | undefined
}

/** Below the usual 30 and 60 s limits of proxies. */
const longPollSeconds = 20
const progressPollMs = 1_500

export function createPresentations({ requests, follow, timing }: PresentationsOptions) {
  const { send, create, remove } = requests
  const slides = createSlides(requests)
  const at = (id: string, rest = '') => `/presentations/${encodeURIComponent(id)}${rest}`

  function get(
    id: string,
    { wait, signal }: CallOptions & { wait?: number | undefined } = {},
  ): Promise<Presentation> {
    return send({ path: at(id), query: { wait }, signal })
  }

  return {
    /** Accepts a brief; the presentation is made in the background. */
    create: (brief: Brief, options: CreatingOptions = {}) =>
      create<Presentation>({ path: '/presentations', json: brief }, options),

    /** With `wait` (seconds, 1 to 60) the answer waits for the end of the run. */
    get,

    /** Newest first. */
    list: (
      options: { status?: Status | undefined; limit?: number | undefined } & CallOptions = {},
    ): AsyncGenerator<Presentation, void, undefined> => {
      const { status, limit, signal } = options
      return iteratePages((cursor) =>
        send({ path: '/presentations', query: { status, limit, cursor }, signal }),
      )
    },

    rename: (id: string, title: string, { signal }: CallOptions = {}) =>
      send<Presentation>({ method: 'PATCH', path: at(id), json: { title }, signal }),

    delete: (id: string, options: CallOptions = {}) => remove(at(id), options),

    cancel: (id: string, { signal }: CallOptions = {}) =>
      send<Presentation>({ method: 'POST', path: at(id, '/cancel'), signal }),

    /** A failed or cancelled one goes on from its last finished stage. */
    retry: (id: string, options: CreatingOptions = {}) =>
      create<Presentation>({ path: at(id, '/retry') }, options),

    /** Exports a completed one again, or in the other format. */
    export: (id: string, format: ExportFormat, options: CreatingOptions = {}) =>
      create<Presentation>({ path: at(id, '/exports'), json: { format } }, options),

    /** A download link. Without `format`, of the brief's format. */
    download: (
      id: string,
      { format, signal }: CallOptions & { format?: ExportFormat | undefined } = {},
    ) => send<Download>({ path: at(id, '/download'), query: { format }, signal }),

    /** Opens one event stream without another credential; for EventSource on another site. */
    ticket: (id: string, { signal }: CallOptions = {}) =>
      send<Ticket>({ method: 'POST', path: at(id, '/ticket'), signal }),

    /**
     * A link that opens the deck in the slide maker, once and within a minute; for a new tab.
     *
     * @throws GatewayError NOT_READY without a deck, NOT_SUPPORTED where there is no maker for it
     */
    maker: (id: string, { signal }: CallOptions = {}) =>
      send<MakerLink>({ method: 'POST', path: at(id, '/maker'), signal }),

    /**
     * Each event once, in order; ends after the one that ends the run. Reconnects by itself.
     *
     * @throws GatewayError NOT_FOUND, AUTHENTICATION_FAILED and others that no reconnect solves
     */
    events: follow,

    /** Resolves once the presentation is neither queued nor running. */
    async wait(id: string, { signal, onProgress }: WaitOptions = {}): Promise<Presentation> {
      let last = ''
      for (;;) {
        const presentation = await get(
          id,
          onProgress ? { signal } : { wait: longPollSeconds, signal },
        )
        const state = JSON.stringify(presentation)
        if (state !== last) onProgress?.(presentation)
        last = state
        if (!['queued', 'running'].includes(presentation.status)) return presentation
        if (onProgress) await timing.sleep(progressPollMs, signal)
      }
    },

    /** The slides of a finished deck. */
    slides: slides.list,

    /** Lets the model change one slide, in a run of its own. */
    editSlide: slides.edit,

    outlines: (id: string, { signal }: CallOptions = {}) =>
      send<Outlines>({ path: at(id, '/outlines'), signal }),

    /** Without `outlines` they are approved as they are. */
    approveOutlines: (
      id: string,
      approved: ApprovedOutlines = {},
      { signal }: CallOptions = {},
    ): Promise<Presentation> =>
      send(
        { method: 'PUT', path: at(id, '/outlines'), json: approved, signal },
        // The attempt before may have approved them, and its answer was lost.
        (error: GatewayError) => {
          if (error.code === 'CONFLICT') return get(id, { signal })
          throw error
        },
      ),
  }
}
