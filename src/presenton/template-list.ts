// The list of upstream's templates, read at most once in ten minutes for all callers and runs. If
// it cannot be refreshed, the old list stays in use.

import { raceSignal } from '../async/signals.ts'
import type { Logger } from '../telemetry/logging.ts'
import { type Call, parseJson } from './calls.ts'
import { type Features, paths } from './dialect.ts'
import type { TextResponse } from './failures.ts'
import {
  builtInGroups,
  mergeCustomGroups,
  parseTemplateGroups,
  parseTemplateList,
  parseTemplatePage,
  type Template,
} from './template-responses.ts'

const freshMs = 600_000
/** Between two attempts to refresh an old list: every run asks for it. */
const pauseMs = 10_000
const maxPages = 50

export interface TemplateList {
  templates: Template[]
  /** All ids by which `prepare` knows the templates. */
  ids: ReadonlySet<string>
  /** False for the groups that 0.7.3 is assumed to have. */
  isFromUpstream: boolean
}

interface ReadOptions {
  features: Features
  signal: AbortSignal
}

interface ListOptions {
  send(features: Features, call: { path: string } & Partial<Call>): Promise<TextResponse>
  logger: Pick<Logger, 'warn'>
  now(): number
}

export function createTemplateList({ send, logger, now }: ListOptions) {
  /** `isUnasked`: only checks of our own have asked for it, no caller. */
  let cached:
    | (TemplateList & { readAtMs: number; retryAtMs: number; isUnasked: boolean })
    | undefined
  let pending: Promise<TemplateList> | undefined

  async function fetchTemplates(features: Features) {
    if (features.templates === 'groups') return fetchGroups(features)
    if (features.templates === 'list') {
      const response = await send(features, { path: paths.templateList })
      return { templates: parseTemplateList(parseJson(response)), isFromUpstream: true }
    }
    const templates: Template[] = []
    for (let page = 1; page <= maxPages; page++) {
      const response = await send(features, { path: paths.templatePage(page) })
      const { items, total } = parseTemplatePage(parseJson(response))
      templates.push(...items)
      if (items.length === 0 || templates.length >= total) break
    }
    return { templates, isFromUpstream: true }
  }

  /** 0.7.3 looks for its groups in a directory that was moved, and responds with 500. */
  async function fetchGroups(features: Features) {
    const expectedStatuses = [404, 500]
    const response = await send(features, { path: paths.groups, expectedStatuses })
    const isFromUpstream = response.status === 200
    const groups = isFromUpstream ? parseTemplateGroups(parseJson(response)) : builtInGroups
    const custom = await send(features, { path: paths.customGroups, expectedStatuses })
    const templates = custom.status === 200 ? mergeCustomGroups(groups, parseJson(custom)) : groups
    return { templates, isFromUpstream }
  }

  function refresh(features: Features): Promise<TemplateList> {
    const startedMs = now()
    pending ??= fetchTemplates(features)
      .then((fetched) => {
        // Where `prepare` takes ids, it also takes those of custom templates with the old prefix.
        const ids = new Set(
          fetched.templates.flatMap(({ id }) =>
            features.layout === 'id' ? [id, `custom-${id}`] : [id],
          ),
        )
        const isUnasked = cached?.isUnasked ?? true
        cached = { ...fetched, ids, readAtMs: startedMs, retryAtMs: startedMs, isUnasked }
        return cached
      })
      .finally(() => {
        pending = undefined
      })
    return pending
  }

  async function read(
    { features, signal }: ReadOptions,
    maxAgeMs = freshMs,
  ): Promise<TemplateList> {
    signal.throwIfAborted()
    const old = cached
    if (old && (now() - old.readAtMs < maxAgeMs || now() < old.retryAtMs)) return old
    try {
      return await raceSignal(refresh(features), signal)
    } catch (error) {
      if (signal.aborted || !old) throw error
      old.retryAtMs = now() + pauseMs
      logger.warn({}, 'the templates could not be listed; the old list stays in use')
      return old
    }
  }

  return {
    /** The list, at most `maxAgeMs` old unless upstream fails. */
    read,

    /** As `read`, for a caller: the first time it is what upstream lists now. */
    async readForCaller(options: ReadOptions): Promise<TemplateList> {
      const list = cached?.isUnasked
        ? await raceSignal(refresh(options.features), options.signal)
        : await read(options)
      if (cached) cached.isUnasked = false
      return list
    },

    /** The list that callers know, however old. */
    known: (): TemplateList | undefined => (cached?.isUnasked ? undefined : cached),
  }
}
