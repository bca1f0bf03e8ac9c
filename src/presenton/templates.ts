// The templates of upstream in every version: their list, and whether one exists. The list decides;
// only what it does not name is asked for by itself.

import { Problem } from '../domain/problem.ts'
import type { Logger } from '../telemetry/logging.ts'
import { type CallOptions, createPerAccount, type UpstreamAccount } from './account.ts'
import type { Call, Calls } from './calls.ts'
import { type Features, paths } from './dialect.ts'
import { fault, type ResponseCause, rejected, type TextResponse } from './failures.ts'
import { createLookupCache } from './lookup-cache.ts'
import { createTemplateLayouts, type Layout } from './template-layouts.ts'
import { createTemplateList } from './template-list.ts'
import type { Template } from './template-responses.ts'

/** How old the list may be that decides whether a 404 was right. */
const verdictMs = 10_000

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

interface HasOptions extends TemplateOptions {
  /** Trusts the groups that 0.7.3 is assumed to have: asking for one starts a browser. */
  trustsAssumed?: boolean | undefined
}

export type Templates = ReturnType<typeof createTemplates>

const missing = new WeakSet<Problem>()

/** A final failure: upstream has no such template. */
function templateMissing(cause?: unknown): Problem {
  const problem = rejected('It does not have this template.', cause)
  missing.add(problem)
  return problem
}

export const isTemplateMissing = (error: unknown): boolean =>
  error instanceof Problem && missing.has(error)

/** Each account has its own list, because users of upstream can add templates. */
export function createTemplates(options: TemplatesOptions) {
  const templatesOf = createPerAccount((account) => createAccountTemplates(account, options))
  return {
    list: ({ account, ...rest }: FeatureOptions): Promise<Template[]> =>
      templatesOf(account).list(rest),

    /** The ids in the list that callers have seen, however old. Sends nothing. */
    knownIds: (account: UpstreamAccount): ReadonlySet<string> | undefined =>
      templatesOf(account).knownIds(),

    has: ({ account, ...rest }: HasOptions): Promise<boolean> => templatesOf(account).has(rest),

    /** What `prepare` expects as its layout: an id or an object. */
    layoutForPrepare: ({
      account,
      ...rest
    }: TemplateOptions & { outlineCount: number }): Promise<string | Layout> =>
      templatesOf(account).layoutForPrepare(rest),

    /** What a failed `prepare` means. A 404 for a template that upstream lists is a fault. */
    failureOfPrepare: ({ account, ...rest }: TemplateOptions, error: unknown): Promise<unknown> =>
      templatesOf(account).failureOfPrepare(rest, error),
  }
}

type Without<T> = Omit<T, 'account'>

function createAccountTemplates(
  account: UpstreamAccount,
  { calls, listTimeoutMs, layoutTimeoutMs, closing, logger, now }: TemplatesOptions,
) {
  const templateList = createTemplateList({ send, logger, now })
  const layouts = createTemplateLayouts({ send, isListed, timeoutMs: layoutTimeoutMs, now })
  const findById = createLookupCache<true>({ now })

  function send({ auth }: Features, call: { path: string } & Partial<Call>): Promise<TextResponse> {
    const limits = { timeoutMs: listTimeoutMs, signal: closing }
    const defaults = { routeKind: 'other', isCheap: true, ...limits } as const
    return calls.send({ account, auth, ...defaults, ...call })
  }

  async function isListed(templateId: string, features: Features): Promise<boolean> {
    const { ids } = await templateList.read({ features, signal: closing }, verdictMs)
    return ids.has(templateId)
  }

  /** Without upstream's own list, only a request for the template itself can tell. */
  async function isNamed({ templateId, features, signal, trustsAssumed }: Without<HasOptions>) {
    try {
      const { ids, isFromUpstream } = await templateList.read({ features, signal })
      return (isFromUpstream || trustsAssumed) && ids.has(templateId)
    } catch (error) {
      // An upstream that is up but cannot list is asked for the template itself.
      if (error instanceof Problem && error.failure !== 'outage') return false
      throw error
    }
  }

  async function fetchById(templateId: string, features: Features): Promise<true | undefined> {
    const response = await send(features, {
      path: paths.template(templateId.replace(/^custom-/, '')),
      expectedStatuses: [404, 422],
    })
    return response.status === 200 || undefined
  }

  return {
    async list(options: Without<FeatureOptions>): Promise<Template[]> {
      return (await templateList.readForCaller(options)).templates
    },

    knownIds: () => templateList.known()?.ids,

    async has({ trustsAssumed = false, ...options }: Without<HasOptions>): Promise<boolean> {
      const { templateId, features, signal } = options
      if (await isNamed({ ...options, trustsAssumed })) return true
      const found =
        features.layout === 'object'
          ? await layouts.find(templateId, features, signal)
          : await findById(templateId, () => fetchById(templateId, features), signal)
      return found !== undefined
    },

    async layoutForPrepare({
      templateId,
      outlineCount,
      features,
      signal,
    }: Without<TemplateOptions> & { outlineCount: number }): Promise<string | Layout> {
      if (features.layout === 'id') return templateId
      const layout = await layouts.find(templateId, features, signal)
      if (!layout) throw templateMissing()
      // Upstream crashes on an ordered layout with fewer slides than outlines.
      return layout.ordered === true && layout.slides.length < outlineCount
        ? { ...layout, ordered: false }
        : layout
    },

    async failureOfPrepare({ templateId, features }: Without<TemplateOptions>, error: unknown) {
      const { cause } = (error ?? {}) as { cause?: Partial<ResponseCause> }
      if (cause?.status !== 404 || !/^template\b.*\bnot found/i.test(cause.reason ?? ''))
        return error
      return (await isListed(templateId, features))
        ? fault('upstream did not find a template that it lists', { cause })
        : templateMissing(cause)
    },
  }
}
