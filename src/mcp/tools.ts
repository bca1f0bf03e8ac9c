// All tools, and what they call.

import type { BriefLimits } from '../contract/brief.ts'
import type { PresentationServices } from '../presentations/routes.ts'
import type { ListTemplates } from '../templates/routes/list-templates.ts'
import type { ReadUsage } from '../usage/routes/read-usage.ts'
import type { Tool } from './tool.ts'
import { accountTools } from './tools/account.ts'
import { changePresentationTools } from './tools/change-presentations.ts'
import { fileTools } from './tools/files.ts'
import { makePresentationTool } from './tools/make-presentation.ts'
import { outlineTools } from './tools/outlines.ts'
import { readPresentationTools } from './tools/read-presentations.ts'
import { slideTools } from './tools/slides.ts'
import { createWaitForRun } from './wait.ts'

export interface ToolServices extends ListTemplates, ReadUsage {
  presentations: PresentationServices
  limits: BriefLimits
  defaultTemplate: string
  /** Aborts when the shutdown begins: calls that wait return then. */
  closing: AbortSignal
}

export function createTools(services: ToolServices): Tool[] {
  const { presentations, limits, defaultTemplate, closing } = services
  const waitForRun = createWaitForRun({ ...presentations, closing })
  return [
    makePresentationTool({ ...presentations, waitForRun, limits, defaultTemplate }),
    ...readPresentationTools({ ...presentations, waitForRun }),
    ...outlineTools({ ...presentations, limits }),
    ...slideTools({ ...presentations, waitForRun }),
    ...fileTools({ ...presentations, waitForRun }),
    ...changePresentationTools(presentations),
    ...accountTools(services),
  ]
}
