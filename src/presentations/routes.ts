// All routes of presentations, and what they need.
import type { BriefLimits } from '../contract/brief.ts'
import type { App } from '../http/base.ts'
import type { PresentationCommands } from './commands.ts'
import type { FindDownload } from './find-download.ts'
import type { FinishedCommands } from './made-decks/add-finished.ts'
import type { CreateWithDeck } from './made-decks/create-with-deck.ts'
import { createAcceptedResponse } from './respond.ts'
import { approveOutlinesRoute } from './routes/approve-outlines.ts'
import { cancelPresentationRoute } from './routes/cancel-presentation.ts'
import { changeSlidesRoutes } from './routes/change-slides.ts'
import { type CreatePresentation, createPresentationRoute } from './routes/create-presentation.ts'
import { deletePresentationRoute } from './routes/delete-presentation.ts'
import { downloadPresentationRoute } from './routes/download-presentation.ts'
import { editSlideRoute } from './routes/edit-slide.ts'
import { exportPresentationRoute } from './routes/export-presentation.ts'
import { type ListPresentations, listPresentationsRoute } from './routes/list-presentations.ts'
import { readOutlinesRoute } from './routes/read-outlines.ts'
import { type ReadPresentation, readPresentationRoute } from './routes/read-presentation.ts'
import { readSlidesRoute } from './routes/read-slides.ts'
import { renamePresentationRoute } from './routes/rename-presentation.ts'
import { retryPresentationRoute } from './routes/retry-presentation.ts'
import type { SlideCommands } from './slides/commands.ts'
import type { StartEdit } from './slides/start-edit.ts'
import type { StartRegeneration } from './slides/start-regeneration.ts'

/** Commands, queries and the view, as the routes call them. */
export interface PresentationServices extends PresentationCommands {
  accept: CreatePresentation['accept']
  findPresentation: ReadPresentation['findPresentation']
  waitUntilSettled: ReadPresentation['waitUntilSettled']
  listPresentations: ListPresentations['listPresentations']
  createWithDeck: CreateWithDeck
  finished: FinishedCommands
  slides: SlideCommands
  startEdit: StartEdit
  startRegeneration: StartRegeneration
  view: ListPresentations['view']
  presign: FindDownload['presign']
}

export interface PresentationRoutes {
  presentations: PresentationServices
  limits: BriefLimits
  defaultTemplate: string
  /** The address of a presentation. */
  urlOf: (id: string) => string
  /** Aborts when the shutdown begins: requests with `wait` are answered then. */
  closing: AbortSignal
}

/** For a scope that requires a caller. */
export async function presentationRoutes(
  scope: App,
  { presentations, limits, defaultTemplate, urlOf, closing }: PresentationRoutes,
): Promise<void> {
  const { view, findPresentation, waitUntilSettled } = presentations
  const respond = createAcceptedResponse(view)
  createPresentationRoute(scope, { accept: presentations.accept, respond, limits, defaultTemplate })
  listPresentationsRoute(scope, { listPresentations: presentations.listPresentations, view })
  readPresentationRoute(scope, { findPresentation, waitUntilSettled, view, closing })
  renamePresentationRoute(scope, { rename: presentations.rename, view })
  deletePresentationRoute(scope, { remove: presentations.remove })
  cancelPresentationRoute(scope, { cancel: presentations.cancel, view })
  retryPresentationRoute(scope, { retry: presentations.retry, respond })
  readOutlinesRoute(scope, { readOutlines: presentations.readOutlines })
  const { slides } = presentations
  readSlidesRoute(scope, slides)
  changeSlidesRoutes(scope, { slides, urlOf })
  editSlideRoute(scope, { startEdit: presentations.startEdit, respond })
  const { approveOutlines } = presentations
  approveOutlinesRoute(scope, { approveOutlines, limits, view })
  downloadPresentationRoute(scope, { findPresentation, presign: presentations.presign })
  exportPresentationRoute(scope, { exportAgain: presentations.exportAgain, respond })
}
