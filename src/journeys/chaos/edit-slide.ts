// An edit of one slide by the model, while everything fails: a run that keeps exactly one changed
// slide and costs one call, or leaves the deck as it was.

import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Deck, Slide, SlideChanges, SlideChangesOptions } from './change-slides.ts'
import type { ClientResponse } from './client.ts'

export interface EditSlideOptions extends SlideChangesOptions {
  read: SlideChanges['read']
  waitUntilSettled: () => Promise<ClientResponse>
}

/** What `verify` compares with what was paid. */
export interface EditCount {
  accepted: number
  kept: number
}

/** Upstream may go on for this long after a kill; its result is unknown until then. */
const lateWorkMs = 500

/** The slides beside the edited one, whose id some versions change. */
const others = ({ slides }: Deck, index: number): Slide[] => slides.toSpliced(index, 1)

export async function editSlide(options: EditSlideOptions, count: EditCount): Promise<void> {
  const { client, path, random, report, read, waitUntilSettled } = options
  const violate = (text: string) => report.violate(path, text)
  const before = await read()
  const index = random.between(0, before.slides.length - 1)
  const instruction = `Say it like ${random.next()}.`
  const makesFile = random.chance(0.3)
  const accepted = await client.request(`${path}/slides/${index}/edit`, {
    method: 'POST',
    body: { instruction, export: makesFile },
    key: `edit-${random.next()}`,
    headers: { 'if-match': `"${before.revision}"` },
  })
  if (accepted.status !== 202)
    return violate(`an edit returned ${accepted.status} ${JSON.stringify(accepted.body)}`)
  count.accepted += 1
  report.count('edits')
  if (random.chance(0.15)) {
    await delay(random.between(0, 300))
    await client.request(`${path}/cancel`, { method: 'POST', key: `cancel-${random.next()}` })
  }
  const { body } = await waitUntilSettled()
  const code = body.error?.code
  if (code === 'INTERRUPTED') await delay(lateWorkMs)
  const after = await read()
  report.note(`${path} edit of slide ${index}: ${code ?? 'kept'}, revision ${after.revision}`)
  if (body.status !== 'completed') violate(`after an edit it is ${body.status}`)
  if (!isDeepStrictEqual(others(after, index), others(before, index)))
    violate('an edit has changed other slides')
  const isEdited = JSON.stringify(after.slides[index]).includes(instruction)
  if (isEdited && after.revision > before.revision) {
    count.kept += 1
    report.count('edits that are kept')
  }
  // If its export fails, the edit stays.
  const mayBeKept = !code || code === 'INTERRUPTED' || makesFile
  if (!code && !isEdited) violate('an edit that ended well has changed nothing')
  if (isEdited && !mayBeKept) violate(`an edit that ended with ${code} has stayed`)
  if (!isEdited && !isDeepStrictEqual(after.slides, before.slides))
    violate('a failed edit has changed its slide')
  const expected = before.revision + Number(isEdited && code !== 'INTERRUPTED')
  if (after.revision !== expected && code !== 'INTERRUPTED')
    violate(`an edit made revision ${after.revision} of ${before.revision}`)
  for (const { format, stale } of body.files)
    if (makesFile && !code && format === body.export_as && stale)
      violate(`the ${format} that an edit made is stale`)
}
