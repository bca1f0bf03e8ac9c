// Outlines while they await approval: read, kept, and approved with a template.

import { maxOutlineChars } from '../../contract/brief.ts'
import { Problem } from '../../domain/problem.ts'
import type { PresentationCommands } from '../../presentations/commands.ts'
import { hasText } from '../../presentations/read-brief.ts'
import type { Presenton } from '../../presenton/client.ts'
import { isObject } from '../../presenton/deck-responses.ts'
import { deckOf, type Exchange } from '../exchange.ts'
import { readTitle, storableText } from './texts.ts'

export interface OutlinesHandlers {
  commands: Pick<
    PresentationCommands,
    'approveOutlines' | 'readOutlines' | 'saveOutlines' | 'isApproved'
  >
  presenton: Pick<Presenton, 'hasTemplate'>
  maxSlides: number
}

const invalid = (path: string, message: string) =>
  new Problem('VALIDATION_FAILED', { errors: [{ path, message }] })

/** @throws Problem VALIDATION_FAILED */
function readTexts(value: unknown, { path, max }: { path: string; max: number }): string[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid(path, 'must not be empty')
  if (value.length > max) throw invalid(path, `must have at most ${max} items`)
  return value.map((item, index) => {
    const content = isObject(item) ? item.content : undefined
    if (typeof content !== 'string' || !hasText(content))
      throw invalid(`${path}/${index}/content`, 'must be a text')
    return storableText(content).slice(0, maxOutlineChars)
  })
}

const slidesOf = (outlines: readonly string[]) => ({
  slides: outlines.map((content) => ({ content })),
})

export function createOutlinesHandlers({ commands, presenton, maxSlides }: OutlinesHandlers) {
  const ownOf = (exchange: Exchange) => ({
    userId: exchange.owner,
    id: deckOf(exchange).presentationId,
  })

  /** A repeated request gets the same response. @throws Problem CONFLICT (no outlines yet) */
  async function approve(exchange: Exchange): Promise<void> {
    const body = isObject(exchange.body) ? exchange.body : {}
    const { layout, title } = body
    const outlines = readTexts(body.outlines, { path: '/outlines', max: maxSlides })
    if (typeof layout !== 'string' || !hasText(layout)) throw invalid('/layout', 'must be a text')
    const { account, signal } = exchange
    if (!(await presenton.hasTemplate({ account, signal, templateId: layout })))
      throw new Problem('NOT_FOUND', { detail: 'Template layout not found' })
    await commands.approveOutlines(ownOf(exchange), {
      outlines,
      template: layout,
      title: readTitle(title),
    })
  }

  return {
    async readOutlines(exchange: Exchange) {
      const { outlines } = await commands.readOutlines(ownOf(exchange)).catch((error: unknown) => {
        if (error instanceof Problem && error.code === 'NOT_READY') return { outlines: [] }
        throw error
      })
      return slidesOf(outlines)
    },

    async saveOutlines(exchange: Exchange) {
      const body = isObject(exchange.body) ? exchange.body : {}
      const outlines = readTexts(body.slides, { path: '/slides', max: maxSlides })
      await commands.saveOutlines(ownOf(exchange), outlines)
      return slidesOf(outlines)
    },

    async prepare(exchange: Exchange) {
      const { deckId, status } = deckOf(exchange)
      if (status === 'awaiting_outlines') {
        await approve(exchange).catch(async (error: unknown) => {
          if (!(error instanceof Problem) || error.code !== 'CONFLICT') throw error
          if (!(await commands.isApproved(ownOf(exchange)))) throw error
        })
      } else if (!(await commands.isApproved(ownOf(exchange)))) throw new Problem('CONFLICT')
      return { presentation_id: deckId }
    },
  }
}
