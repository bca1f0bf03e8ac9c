// The layouts of templates, for versions whose `prepare` expects them as objects. Upstream starts a
// browser for each layout, so runs share one fetch and its result.

import { raceSignal } from '../async/signals.ts'
import { type Call, parseJson } from './calls.ts'
import { type Features, paths } from './dialect.ts'
import { type TextResponse, toProblem, unexpectedShape } from './failures.ts'
import { builtInGroups } from './template-responses.ts'

export interface Layout {
  ordered?: boolean
  slides: unknown[]
  [key: string]: unknown
}

const freshMs = 600_000
const missingMs = 60_000
const maxLayouts = 200

interface LayoutsOptions {
  send(features: Features, call: { path: string } & Partial<Call>): Promise<TextResponse>
  timeoutMs: number
  now(): number
}

export function createTemplateLayouts({ send, timeoutMs, now }: LayoutsOptions) {
  interface Entry {
    layout: Promise<Layout | undefined>
    freshUntilMs: number
  }
  const entries = new Map<string, Entry>()

  async function fetchLayout(templateId: string, features: Features): Promise<Layout | undefined> {
    const hasGroups = features.templates === 'groups'
    const response = await send(features, {
      path: hasGroups ? paths.group(templateId) : paths.template(templateId),
      timeoutMs,
      isSlow: true,
      // An unknown group is a 500. Any user may name one, so it must not open the circuit.
      expectedStatuses: hasGroups ? [400, 404, 500] : [400, 404, 422],
    })
    if (response.status !== 200) {
      const isBuiltIn = hasGroups && builtInGroups.some(({ id }) => id === templateId)
      if (isBuiltIn && response.status === 500)
        throw toProblem(response, { routeKind: 'other', nowMs: now() })
      return undefined
    }
    const layout = (parseJson(response) ?? {}) as Partial<Layout>
    if (!Array.isArray(layout.slides) || layout.slides.length === 0)
      throw unexpectedShape('the layout has no slides')
    return { ...layout, slides: layout.slides }
  }

  function store(templateId: string, entry: Entry): void {
    // Deleted first, so that the map stays ordered by age.
    entries.delete(templateId)
    entries.set(templateId, entry)
    for (const oldest of entries.keys()) {
      if (entries.size <= maxLayouts) break
      entries.delete(oldest)
    }
  }

  return {
    /**
     * Undefined if there is no such template. A missing layout is cached for a minute, a failure
     * not at all. The fetch goes on for the others when one caller aborts.
     */
    find(templateId: string, features: Features, signal: AbortSignal): Promise<Layout | undefined> {
      const known = entries.get(templateId)
      if (known && now() < known.freshUntilMs) return raceSignal(known.layout, signal)
      const entry = { layout: fetchLayout(templateId, features), freshUntilMs: now() + freshMs }
      entry.layout.then(
        (layout) => {
          if (!layout) entry.freshUntilMs = now() + missingMs
        },
        () => entries.get(templateId) === entry && entries.delete(templateId),
      )
      store(templateId, entry)
      return raceSignal(entry.layout, signal)
    },
  }
}
