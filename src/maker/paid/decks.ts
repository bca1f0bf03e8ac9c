// New decks: from a text, as a copy, and blank.

import type { BriefBody, BriefLimits } from '../../contract/brief.ts'
import { Problem } from '../../domain/problem.ts'
import type { FinishedCommands } from '../../presentations/made-decks/add-finished.ts'
import type { CreateWithDeck } from '../../presentations/made-decks/create-with-deck.ts'
import { hasText, readBrief } from '../../presentations/read-brief.ts'
import { isObject } from '../../presenton/deck-responses.ts'
import { hasLostFiles } from '../../presenton/source-uploads.ts'
import { deckOf, type Exchange } from '../exchange.ts'
import { storableText } from './texts.ts'
import { noFiles, type ResolvedFiles, type ResolveFiles } from './uploaded-files.ts'

export interface DeckHandlers {
  createWithDeck: CreateWithDeck
  finished: FinishedCommands
  resolveFiles: ResolveFiles
  limits: BriefLimits
  defaultTemplate: string
}

const invalid = (path: string, message: string) =>
  new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })

const tones = ['default', 'casual', 'professional', 'funny', 'educational', 'sales_pitch'] as const
const verbosities = ['concise', 'standard', 'text-heavy'] as const
const maxInstructions = 4_000
const maxLanguage = 100
const maxFiles = 10

function readText(value: unknown, path: string, maxChars: number): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw invalid(path, 'must be a text')
  const text = storableText(value)
  if ([...text].length > maxChars) throw invalid(path, `must have at most ${maxChars} characters`)
  return hasText(text) ? text : undefined
}

function readChoice<T extends string>(value: unknown, path: string, choices: readonly T[]) {
  if (value === undefined || value === null) return undefined
  const found = choices.find((choice) => choice === value)
  if (!found) throw invalid(path, `must be one of ${choices.join(', ')}`)
  return found
}

function readFlag(value: unknown, path: string): boolean | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw invalid(path, 'must be true or false')
  return value
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

/** @throws Problem VALIDATION_FAILED */
function readCreate(body: unknown, { maxSlides, maxContentChars }: BriefLimits) {
  const given = isObject(body) ? body : {}
  const { version, generation_mode: mode, n_slides: count, file_paths: files } = given
  if (version !== undefined && version !== null && version !== 'v2-standard')
    throw invalid('/version', 'is not supported here')
  if (mode !== undefined && mode !== null)
    throw invalid('/generation_mode', 'is not supported here')
  const isCount = typeof count === 'number' && Number.isInteger(count) && count >= 1
  if (count !== undefined && count !== null && !isCount)
    throw invalid('/n_slides', 'must be a number from 1')
  if (isCount && count > maxSlides) throw invalid('/n_slides', `must be at most ${maxSlides}`)
  const paths: unknown = files ?? []
  if (!isTexts(paths) || paths.length > maxFiles)
    throw invalid('/file_paths', `must name at most ${maxFiles} files`)
  const { include_table_of_contents: contents, include_title_slide: title } = given
  const optional = {
    content: readText(given.content, '/content', maxContentChars),
    n_slides: isCount ? count : undefined,
    language: readText(given.language, '/language', maxLanguage),
    tone: readChoice(given.tone, '/tone', tones),
    verbosity: readChoice(given.verbosity, '/verbosity', verbosities),
    instructions: readText(given.instructions, '/instructions', maxInstructions),
    include_table_of_contents: readFlag(contents, '/include_table_of_contents'),
    include_title_slide: readFlag(title, '/include_title_slide'),
    web_search: readFlag(given.web_search, '/web_search'),
  }
  const known = Object.entries(optional).filter(([, value]) => value !== undefined)
  return { brief: Object.fromEntries(known) as BriefBody, handles: paths }
}

export function createDeckHandlers(options: DeckHandlers) {
  const { createWithDeck, finished, resolveFiles, limits, defaultTemplate } = options
  // What upstream has made is recorded, also for a browser that left.
  const always = () => new AbortController().signal

  return {
    async create({ owner, account, body }: Exchange) {
      const { brief: given, handles } = readCreate(body, limits)
      const signal = always()
      const make = async ({ sources, paths }: ResolvedFiles) => {
        const brief = readBrief(
          { ...given, review_outlines: true, ...(sources.length > 0 && { sources }) },
          limits,
          { template: defaultTemplate },
        )
        const { created } = await createWithDeck({
          userId: owner,
          account,
          brief,
          signal,
          filePaths: paths,
          origin: 'maker',
          usesDefaultTemplate: true,
        })
        return { ...created, file_paths: handles.length > 0 ? handles : null }
      }
      if (handles.length === 0) return make(noFiles)
      const resolve = () => resolveFiles({ owner, account, handles, signal })
      return make(await resolve()).catch(async (error: unknown) => {
        // Upstream has restarted in between.
        if (!hasLostFiles(error)) throw error
        return make(await resolve())
      })
    },

    async createBlank({ owner, account, reply }: Exchange) {
      const { presentation } = await finished.createBlank({
        userId: owner,
        account,
        signal: always(),
      })
      reply.code(201)
      return presentation
    },

    async duplicate(exchange: Exchange) {
      const { owner, account } = exchange
      const own = { userId: owner, id: deckOf(exchange).presentationId }
      const { presentation } = await finished.duplicate({ own, account, signal: always() })
      return presentation
    },
  }
}
