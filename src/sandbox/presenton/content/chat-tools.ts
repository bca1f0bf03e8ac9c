/**
 * What the stand-in's chat model does to a deck: the tools that a message names, else an edit of
 * the slide that it is about.
 */

import { randomUUID } from 'node:crypto'
import type { Deck, Slide } from '../deck.ts'
import { editSlide } from './edits.ts'

export type Tool = { name: string; index: number; text: string; theme: unknown }

export function toolsOf(message: string): Tool[] {
  const selected = Number(/zero-based index (\d+)/.exec(message)?.[1] ?? 0)
  const text = message.split('User message:').at(-1)?.trim() ?? message
  const named = [...text.matchAll(/tool:(\w+)(?:\s+(\{.*?\})(?=\s|$))?/g)]
  if (named.length === 0) return [{ name: 'updateSlide', index: selected, text, theme: null }]
  return named
    .filter(([, name]) => name !== 'none')
    .map(([, name = '', json = '{}']) => ({
      name,
      index: selected,
      text: 'Changed by a tool',
      theme: null,
      ...(JSON.parse(json) as Partial<Tool>),
    }))
}

export function useTool(deck: Deck, { name, index, text, theme }: Tool): void {
  const slide = deck.slides[index]
  if (name === 'updateSlide' && slide) Object.assign(slide, editSlide(slide, text))
  if (name === 'setPresentationTheme') deck.theme = theme
  if (name === 'deleteSlide' && slide) setSlides(deck, deck.slides.toSpliced(index, 1))
  if (name === 'addNewSlide' && slide) {
    const added: Slide = { ...structuredClone(slide), id: randomUUID() }
    setSlides(deck, deck.slides.toSpliced(index + 1, 0, added))
  }
}

function setSlides(deck: Deck, slides: Slide[]): void {
  deck.slides = slides.map((slide, index) => Object.assign(slide, { index }))
  deck.n_slides = slides.length
}
