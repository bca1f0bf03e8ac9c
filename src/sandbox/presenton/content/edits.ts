/**
 * What the stand-in's model does with one slide: the prompt becomes the slide's headline, in the
 * content and in what is drawn.
 */

import type { Slide } from '../deck.ts'

const headlines = new Set(['title', 'headline_text', 'slide_headline'])

/** The changed members; the slide itself stays as it is. */
export function editSlide({ content, ui }: Slide, prompt: string): Pick<Slide, 'content' | 'ui'> {
  const headline = [...prompt.trim().replace(/\s+/g, ' ')].slice(0, 80).join('')
  const edited = structuredClone({ content, ui })
  setHeadline(edited.content, headline)
  setDrawnHeadline(edited.ui, headline)
  return edited
}

/** The first headline, depth first. */
function setHeadline(value: unknown, headline: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  const members = value as Record<string, unknown>
  for (const [name, member] of Object.entries(members)) {
    if (headlines.has(name) && typeof member === 'string') {
      members[name] = headline
      return true
    }
    if (setHeadline(member, headline)) return true
  }
  return false
}

/** The first element of `ui` that shows a headline; its text is in runs. */
function setDrawnHeadline(value: unknown, headline: string): boolean {
  if (Array.isArray(value)) return value.some((one) => setDrawnHeadline(one, headline))
  if (typeof value !== 'object' || value === null) return false
  const { name, runs, ...members } = value as { name?: unknown; runs?: { text?: unknown }[] }
  const [run] = runs ?? []
  if (typeof name === 'string' && headlines.has(name) && run) {
    run.text = headline
    return true
  }
  return Object.values(members).some((member) => setDrawnHeadline(member, headline))
}
