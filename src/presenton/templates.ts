// The templates of upstream in every version: their list, cached for ten minutes, and whether one
// exists. If the list cannot be refreshed, the old one stays in use.

import { raceSignal } from '../async/signals.ts'
import type { Logger } from '../telemetry/logging.ts'
import { type CallOptions, createPerAccount, type UpstreamAccount } from './account.ts'
import { type Call, type Calls, parseJson } from './calls.ts'
import { type Features, paths } from './dialect.ts'
import { rejected, type TextResponse } from './failures.ts'
import { createTemplateLayouts, type Layout } from './template-layouts.ts'
import {
  builtInGroups,
  mergeCustomGroups,
  parseTemplateGroups,
  parseTemplateList,
  parseTemplatePage,
  type Template,
} from './template-responses.ts'

const freshMs = 600_000
const maxPages = 50

interface TemplatesOptions {
  calls: Calls
  listTimeoutMs: number
  layoutTimeoutMs: number
  closing: AbortSignal
  logger: Pick<Logger, 'warn'>
  now(): number
}

interface FeatureOptions extends CallOptions {
  features: Features
}

interface TemplateOptions extends FeatureOptions {
  templateId: string
}

export type Templates = ReturnType<typeof createTemplates>

/** Each account has its own list, because users of upstream can add templates. */
export function createTemplates(options: TemplatesOptions) {
  const templatesOf = createPerAccount((account) => createAccountTemplates(account, options))
  return {
    list: ({ account, ...rest }: FeatureOptions): Promise<Template[]> =>
      templatesOf(account).list(rest),

    /** The ids in the cached list, however old; undefined before the first list. Sends nothing. */
    knownIds: (account: UpstreamAccount): ReadonlySet<string> | undefined =>
      templatesOf(account).knownIds(),

    has: ({ account, ...rest }: TemplateOptions): Promise<boolean> =>
      templatesOf(account).has(rest),

    /** What `prepare` expects as its layout: an id or an object. */
    layoutForPrepare: ({
      account,
      ...rest
    }: TemplateOptions & { outlineCount: number }): Promise<string | Layout> =>
      templatesOf(account).layoutForPrepare(rest),
  }
}

function createAccountTemplates(
  account: UpstreamAccount,
  { calls, listTimeoutMs, layoutTimeoutMs, closing, logger, now }: TemplatesOptions,
) {
  let cached: { list: Template[]; ids: ReadonlySet<string>; freshUntilMs: number } | undefined
  let pendingList: Promise<Template[]> | undefined
  const layouts = createTemplateLayouts({ send, timeoutMs: layoutTimeoutMs, now })

  function send({ auth }: Features, call: { path: string } & Partial<Call>): Promise<TextResponse> {
    const limits = { timeoutMs: listTimeoutMs, signal: closing }
    const defaults = { routeKind: 'other', isCheap: true, ...limits } as const
    return calls.send({ account, auth, ...defaults, ...call })
  }

  async function fetchList(features: Features): Promise<Template[]> {
    if (features.templates === 'groups') return fetchGroups(features)
    if (features.templates === 'list')
      return parseTemplateList(parseJson(await send(features, { path: paths.templateList })))
    const list: Template[] = []
    for (let page = 1; page <= maxPages; page++) {
      const response = await send(features, { path: paths.templatePage(page) })
      const { items, total } = parseTemplatePage(parseJson(response))
      list.push(...items)
      if (items.length === 0 || list.length >= total) break
    }
    return list
  }

  /** 0.7.3 looks for its groups in a directory that was moved, and responds with 500. */
  async function fetchGroups(features: Features): Promise<Template[]> {
    const expectedStatuses = [404, 500]
    const response = await send(features, { path: paths.groups, expectedStatuses })
    const groups =
      response.status === 200 ? parseTemplateGroups(parseJson(response)) : builtInGroups
    const custom = await send(features, { path: paths.customGroups, expectedStatuses })
    return custom.status === 200 ? mergeCustomGroups(groups, parseJson(custom)) : groups
  }

  function refreshList(features: Features): Promise<Template[]> {
    pendingList ??= fetchList(features)
      .then((list) => {
        // Where `prepare` takes ids, it also takes those of custom templates with the old prefix.
        const ids = new Set(
          list.flatMap(({ id }) => (features.layout === 'id' ? [id, `custom-${id}`] : [id])),
        )
        cached = { list, ids, freshUntilMs: now() + freshMs }
        return list
      })
      .finally(() => {
        pendingList = undefined
      })
    return pendingList
  }

  return {
    async list({ features, signal }: Omit<FeatureOptions, 'account'>): Promise<Template[]> {
      signal.throwIfAborted()
      if (cached && now() < cached.freshUntilMs) return cached.list
      const old = cached
      try {
        return await raceSignal(refreshList(features), signal)
      } catch (error) {
        if (signal.aborted || !old) throw error
        logger.warn({}, 'the templates could not be listed; the old list stays in use')
        return old.list
      }
    },

    knownIds: () => cached?.ids,

    async has({ templateId, features, signal }: Omit<TemplateOptions, 'account'>) {
      signal.throwIfAborted()
      if (cached?.ids.has(templateId)) return true
      if (features.layout === 'object')
        return (await layouts.find(templateId, features, signal)) !== undefined
      const response = await send(features, {
        path: paths.template(templateId.replace(/^custom-/, '')),
        signal,
        expectedStatuses: [404, 422],
      })
      return response.status === 200
    },

    async layoutForPrepare({
      templateId,
      outlineCount,
      features,
      signal,
    }: Omit<TemplateOptions, 'account'> & { outlineCount: number }): Promise<string | Layout> {
      if (features.layout === 'id') return templateId
      const layout = await layouts.find(templateId, features, signal)
      if (!layout) throw rejected('The template was not found.')
      // Upstream crashes on an ordered layout with fewer slides than outlines.
      return layout.ordered === true && layout.slides.length < outlineCount
        ? { ...layout, ordered: false }
        : layout
    },
  }
}
