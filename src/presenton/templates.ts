// The templates of upstream, whatever its version: one list, cached, and whether one exists. A list
// that cannot be renewed stays as it was. Where layouts are objects, they are fetched here too:
// upstream starts a browser for each, so a layout is shared by all runs that need it.

import { raceSignal } from '../async/signals.ts'
import { type CallOptions, createPerAccount, type UpstreamAccount } from './account.ts'
import { type Features, paths } from './dialect.ts'
import { type Call, type Exchange, parseJson } from './exchange.ts'
import { problemOf, rejected, type TextResponse, unexpectedShape } from './failures.ts'
import {
  builtInGroups,
  mergeCustom,
  parseGroups,
  parseTemplateList,
  parseTemplatePage,
  type Template,
} from './template-lists.ts'

export interface Layout {
  ordered?: boolean
  slides: unknown[]
  [key: string]: unknown
}

const freshMs = 600_000
const missingMs = 60_000
const maxPages = 50
const maxLayouts = 200

interface TemplatesOptions {
  exchange: Exchange
  listMs: number
  layoutMs: number
  closing: AbortSignal
  onTrouble(why: string): void
  now(): number
}

interface TemplateCall extends CallOptions {
  features: Features
  templateId: string
}

export type Templates = ReturnType<typeof createTemplates>

/** The templates of all accounts: each has a list of its own. */
export function createTemplates(options: TemplatesOptions) {
  const templatesOf = createPerAccount((account) => createAccountTemplates(account, options))
  return {
    list: ({ account, signal, features }: Omit<TemplateCall, 'templateId'>) =>
      templatesOf(account).list(features, signal),
    /** Ids of the cached list, however old it is; asks nobody. */
    known: (account: UpstreamAccount) => templatesOf(account).known(),
    has: ({ account, signal, features, templateId }: TemplateCall) =>
      templatesOf(account).has(templateId, features, signal),
    /**
     * What `prepare` wants as its layout. An ordered one with fewer slides than outlines crashes
     * upstream, so its order is given up.
     */
    forPrepare: ({
      account,
      signal,
      features,
      templateId,
      outlines,
    }: TemplateCall & { outlines: number }) =>
      templatesOf(account).forPrepare(templateId, outlines, features, signal),
  }
}

function createAccountTemplates(
  account: UpstreamAccount,
  { exchange, listMs, layoutMs, closing, onTrouble, now }: TemplatesOptions,
) {
  let cached: { list: Template[]; ids: ReadonlySet<string>; untilMs: number } | undefined
  let listing: Promise<Template[]> | undefined
  const layouts = new Map<string, { layout: Promise<Layout | undefined>; untilMs: number }>()

  const get = (path: string, features: Features, more: Partial<Call> = {}): Promise<TextResponse> =>
    exchange.send({
      account,
      subject: 'other',
      path,
      auth: features.auth,
      timeoutMs: listMs,
      signal: closing,
      ...more,
    })

  async function fetchList(features: Features): Promise<Template[]> {
    if (features.templates === 'list')
      return parseTemplateList(parseJson(await get(paths.templateList, features)))
    if (features.templates === 'groups') return fetchGroups(features)
    const list: Template[] = []
    for (let page = 1; page <= maxPages; page++) {
      const { items, total } = parseTemplatePage(
        parseJson(await get(paths.templatePage(page), features)),
      )
      list.push(...items)
      if (items.length === 0 || list.length >= total) break
    }
    return list
  }

  /**
   * 0.7.3 looks for its groups in a directory that was moved, and says 500: then it has those it
   * was shipped with.
   */
  async function fetchGroups(features: Features): Promise<Template[]> {
    const answer = await get(paths.groups, features, { expect: [500, 404] })
    const groups = answer.status === 200 ? parseGroups(parseJson(answer)) : builtInGroups
    const custom = await get(paths.customGroups, features, { expect: [404, 500] })
    return custom.status === 200 ? mergeCustom(groups, parseJson(custom)) : groups
  }

  function refresh(features: Features): Promise<Template[]> {
    listing ??= fetchList(features)
      .then((list) => {
        // Where custom templates have ids of their own, they are also known by their old names.
        const ids = new Set(
          list.flatMap(({ id }) => (features.layout === 'id' ? [id, `custom-${id}`] : [id])),
        )
        cached = { list, ids, untilMs: now() + freshMs }
        return list
      })
      .finally(() => {
        listing = undefined
      })
    return listing
  }

  async function fetchLayout(id: string, features: Features): Promise<Layout | undefined> {
    const groups = features.templates === 'groups'
    // An unknown group is a 500 there, which must not open the circuit: anyone may name one.
    const expect = groups ? [400, 404, 500] : [400, 404, 422]
    const answer = await get(groups ? paths.group(id) : paths.template(id), features, {
      timeoutMs: layoutMs,
      slow: true,
      expect,
    })
    if (answer.status !== 200) {
      const shipped = groups && builtInGroups.some((group) => group.id === id)
      if (shipped && answer.status === 500) throw problemOf(answer, 'other', now())
      return undefined
    }
    const layout = (parseJson(answer) ?? {}) as Partial<Layout>
    if (!Array.isArray(layout.slides) || layout.slides.length === 0)
      throw unexpectedShape('the layout has no slides')
    return { ...layout, slides: layout.slides }
  }

  /**
   * A fetch is nobody's own: a caller that leaves does not end it for the others. Failures are not
   * kept, missing ones for a minute.
   */
  function findLayout(
    id: string,
    features: Features,
    signal: AbortSignal,
  ): Promise<Layout | undefined> {
    const entry = layouts.get(id)
    if (entry && now() < entry.untilMs) return raceSignal(entry.layout, signal)
    const fresh = { layout: fetchLayout(id, features), untilMs: now() + freshMs }
    fresh.layout.then(
      (layout) => {
        if (!layout) fresh.untilMs = now() + missingMs
      },
      () => layouts.get(id) === fresh && layouts.delete(id),
    )
    layouts.delete(id)
    layouts.set(id, fresh)
    for (const oldest of layouts.keys()) {
      if (layouts.size <= maxLayouts) break
      layouts.delete(oldest)
    }
    return raceSignal(fresh.layout, signal)
  }

  return {
    async list(features: Features, signal: AbortSignal): Promise<Template[]> {
      signal.throwIfAborted()
      if (cached && now() < cached.untilMs) return cached.list
      const old = cached
      try {
        return await raceSignal(refresh(features), signal)
      } catch (error) {
        if (signal.aborted || !old) throw error
        onTrouble('the templates could not be listed again; the old list stands')
        return old.list
      }
    },

    known: (): ReadonlySet<string> | undefined => cached?.ids,

    async has(id: string, features: Features, signal: AbortSignal): Promise<boolean> {
      signal.throwIfAborted()
      if (cached?.ids.has(id)) return true
      if (features.layout === 'object')
        return (await findLayout(id, features, signal)) !== undefined
      const answer = await get(paths.template(id.replace(/^custom-/, '')), features, {
        signal,
        expect: [404, 422],
      })
      return answer.status === 200
    },

    async forPrepare(
      id: string,
      outlines: number,
      features: Features,
      signal: AbortSignal,
    ): Promise<string | Layout> {
      if (features.layout === 'id') return id
      const layout = await findLayout(id, features, signal)
      if (!layout) throw rejected('The template was not found.')
      return layout.ordered === true && layout.slides.length < outlines
        ? { ...layout, ordered: false }
        : layout
    },
  }
}
