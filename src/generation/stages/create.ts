// Stage create: an empty deck upstream. It is cheap but not idempotent, so an abandoned deck may
// stay behind; every deck is recorded for removal.

import type { EncodedEvent } from '../../contract/events.ts'
import { recordDeck, scheduleDeckRemoval } from '../../database/decks.ts'
import { accountNameOf, type UpstreamAccount } from '../../presenton/account.ts'
import type { Context } from '../context.ts'
import { withNewDeck } from '../run-state.ts'
import { missingTemplate, useCurrentDefault } from '../template.ts'
import { uploadSources } from '../upload-sources.ts'

export async function create(context: Context): Promise<void> {
  const { run, presenton, signal } = context
  await useCurrentDefault(context)
  const account = await chooseAccount(context)
  // Checked before the first stage that costs money.
  if (!(await presenton.hasTemplate({ account, signal, templateId: run.template })))
    throw missingTemplate(run)
  const filePaths = await uploadSources(context, account)
  const { content, tone, verbosity, instructions, ...flags } = run.brief
  const { deckId } = await presenton.createDeck({
    account,
    signal,
    brief: {
      content,
      nSlides: run.nSlides,
      language: run.language,
      tone,
      verbosity,
      ...(instructions !== null && { instructions }),
      includeTitleSlide: flags.includeTitleSlide,
      includeTableOfContents: flags.includeTableOfContents,
      webSearch: flags.webSearch,
      filePaths,
    },
  })
  const name = accountNameOf(account)
  try {
    const extraStatements = [recordDeck(deckId, name)]
    const write = { events: callersOutlines(context), extraStatements }
    await context.checkpoint({ ...withNewDeck(run, deckId), account: name }, write)
  } catch (error) {
    // The run was cancelled, deleted or taken over, so no one uses this deck.
    const deck = { deckId, presentationId: run.id, account: name }
    await scheduleDeckRemoval(context.database, deck).catch(() => undefined)
    throw error
  }
}

/**
 * The fresh deck of a presentation that is made again stays where the present one is, because all
 * its files and images are served under one account.
 */
function chooseAccount({ run, presenton, account, signal }: Context): Promise<UpstreamAccount> {
  return run.runKind === 'regenerate'
    ? Promise.resolve(account)
    : presenton.accountFor(run.userId, signal)
}

/** Outlines of the brief are shown where generated ones would be: after the first create. */
function callersOutlines({ run, event }: Context): EncodedEvent[] {
  const isRepeated = (run.starts.create ?? 0) > 1 || run.run > 1
  if (!run.outlines || run.starts.outlines || isRepeated) return []
  return [event('outlines', { outlines: run.outlines, title: run.title }, null)]
}
