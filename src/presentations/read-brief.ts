// A brief as the gateway works with it: defaults applied, and the rules that need more than one
// field checked.

import {
  type BriefBody,
  type BriefLimits,
  defaultSlides,
  minSlidesWithContents,
} from '../contract/brief.ts'
import type { InvalidPlace } from '../contract/problem.ts'
import { Problem } from '../domain/problem.ts'

export type Brief = ReturnType<typeof readBrief>

/** True for more than white space and invisible format characters. */
export function hasText(value: string): boolean {
  return /[^\s\p{Z}\p{Cf}]/u.test(value)
}

function blankPlaces(body: BriefBody): InvalidPlace[] {
  const named = { content: body.content, language: body.language, template: body.template }
  const blank = Object.entries(named).filter(([, value]) => value !== undefined && !hasText(value))
  return [
    ...blank.map(([name]) => ({ path: `/${name}`, message: 'must not be blank' })),
    ...blankOutlines(body.outlines ?? []),
  ]
}

/** The blank outlines, as places of a body that has them in `/outlines`. */
export function blankOutlines(outlines: readonly string[]): InvalidPlace[] {
  return outlines.flatMap((outline, i) =>
    hasText(outline) ? [] : [{ path: `/outlines/${i}`, message: 'must not be blank' }],
  )
}

/** The value; null when it is missing or blank. */
function textOrNull(value: string | undefined): string | null {
  return value !== undefined && hasText(value) ? value : null
}

/**
 * Turns a valid body into a brief: every field present, null for what was not given.
 *
 * @throws Problem VALIDATION_FAILED when fields contradict each other or a required text is blank
 */
export function readBrief(
  body: BriefBody,
  limits: Pick<BriefLimits, 'maxSlides'>,
  defaults: { template: string },
) {
  const { outlines } = body
  const nSlides = body.n_slides ?? outlines?.length ?? Math.min(defaultSlides, limits.maxSlides)
  const errors = blankPlaces(body)
  const sources = (body.sources ?? []).map((id) => id.toLowerCase())
  if (body.content === undefined && outlines === undefined && sources.length === 0) {
    const message = 'is required unless outlines or sources are given'
    errors.push({ path: '/content', message })
  }
  if (outlines !== undefined && sources.length > 0)
    errors.push({ path: '/sources', message: 'must not be given together with outlines' })
  for (const [i, id] of sources.entries()) {
    if (sources.indexOf(id) < i)
      errors.push({ path: `/sources/${i}`, message: 'must not name a source again' })
  }
  if (outlines !== undefined && nSlides !== outlines.length) {
    errors.push({
      path: '/n_slides',
      message: `must be ${outlines.length}, the number of outlines, or be left out`,
    })
  }
  if (body.include_table_of_contents && nSlides < minSlidesWithContents) {
    errors.push({
      path: '/include_table_of_contents',
      message: `needs n_slides of at least ${minSlidesWithContents}`,
    })
  }
  if (errors.length > 0) throw new Problem('VALIDATION_FAILED', { errors })
  return {
    content: body.content ?? null,
    outlines: outlines ?? null,
    sources,
    nSlides,
    language: body.language ?? 'English',
    template: body.template ?? defaults.template,
    tone: body.tone ?? 'default',
    verbosity: body.verbosity ?? 'standard',
    instructions: textOrNull(body.instructions),
    title: textOrNull(body.title),
    includeTitleSlide: body.include_title_slide ?? true,
    includeTableOfContents: body.include_table_of_contents ?? false,
    webSearch: body.web_search ?? false,
    exportAs: body.export_as ?? ('pptx' as const),
    reviewOutlines: body.review_outlines ?? false,
    metadata: body.metadata ?? {},
  }
}
