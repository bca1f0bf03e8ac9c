// The layouts of templates, for versions whose `prepare` expects them as objects. Upstream starts a
// browser for each layout, so runs share one fetch and its result.

import { type Call, parseJson } from './calls.ts'
import { type Features, paths } from './dialect.ts'
import { fault, readReason, type TextResponse, unexpectedResponse } from './failures.ts'
import { createLookupCache } from './lookup-cache.ts'
import { redactUpstreamText } from './redact.ts'

export interface Layout {
  ordered?: boolean
  slides: unknown[]
  [key: string]: unknown
}

interface LayoutsOptions {
  send(features: Features, call: { path: string } & Partial<Call>): Promise<TextResponse>
  /** Whether upstream's own list names the template. */
  isListed(templateId: string, features: Features): Promise<boolean>
  timeoutMs: number
  now(): number
}

export function createTemplateLayouts({ send, isListed, timeoutMs, now }: LayoutsOptions) {
  const find = createLookupCache<Layout>({ now })

  async function fetchLayout(templateId: string, features: Features): Promise<Layout | undefined> {
    const hasGroups = features.templates === 'groups'
    const response = await send(features, {
      path: hasGroups ? paths.group(templateId) : paths.template(templateId),
      timeoutMs,
      isSlow: true,
      // An unknown group is a 500. Any user may name one, so it must not open the circuit.
      expectedStatuses: hasGroups ? [400, 404, 500] : [400, 404, 422],
    })
    const { status, text } = response
    if (status !== 200) {
      if (!(await isListed(templateId, features))) return undefined
      // The page that renders layouts failed. The template is there, so the run must not end.
      const cause = { status, reason: redactUpstreamText(readReason(text)) }
      throw fault('no layout of a template that upstream lists', { cause })
    }
    const layout = (parseJson(response) ?? {}) as Partial<Layout>
    if (!Array.isArray(layout.slides) || layout.slides.length === 0)
      throw unexpectedResponse('the layout has no slides')
    return { ...layout, slides: layout.slides }
  }

  return {
    /** Undefined if there is no such template. */
    find: (templateId: string, features: Features, signal: AbortSignal) =>
      find(templateId, () => fetchLayout(templateId, features), signal),
  }
}
