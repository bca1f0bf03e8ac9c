// A slide as a card with a slide's proportions, for any template: what it says, tidily. All of it
// is text to the browser, never markup.

import type { ComponentChildren } from 'preact'
import { useMemo } from 'preact/hooks'
import {
  readSlideTexts,
  type SlideBlock,
  type SlideItem,
  type SlideLike,
} from '../contract/slide-texts.ts'
import { SlideImage } from './slide-image.tsx'

const maxListItems = 8
const maxRows = 7

interface SlideCardProps {
  slide: SlideLike | undefined
  index: number
  /** Whether a run changes it now. */
  isChanging: boolean
  /** Below the card. */
  children?: ComponentChildren
}

export function SlideCard({ slide, index, isChanging, children }: SlideCardProps) {
  return (
    <li class={isChanging ? 'slide-place slide-changing' : 'slide-place'} aria-busy={isChanging}>
      {slide ? (
        <Face slide={slide} index={index} />
      ) : (
        <div class="slide slide-empty">
          <span class="slide-number">{index + 1}</span>
        </div>
      )}
      <div class="slide-foot">{children}</div>
    </li>
  )
}

function Face({ slide, index }: { slide: SlideLike; index: number }) {
  const { title, blocks } = useMemo(() => readSlideTexts(slide), [slide])
  const image = blocks.find((block) => block.kind === 'image')
  const others = blocks.filter((block) => block.kind !== 'image')
  const isTitleSlide = others.length <= 1 && (others[0]?.kind === 'text' || others.length === 0)
  const kinds = [
    'slide',
    image && 'slide-with-image',
    isTitleSlide && 'slide-title',
    !title && others.length === 0 && image && 'slide-only-image',
  ]
  return (
    <article class={kinds.filter(Boolean).join(' ')} aria-label={`Slide ${index + 1}`}>
      <div class="slide-words" dir="auto">
        {title && (
          <h3 class="slide-heading" dir="auto">
            <span class="slide-heading-text">{title}</span>
          </h3>
        )}
        <div class="slide-body">
          {others.map((block, position) => (
            <Block key={position} block={block} />
          ))}
        </div>
      </div>
      {image?.kind === 'image' && <SlideImage path={image.path} />}
      <span class="slide-number">{index + 1}</span>
    </article>
  )
}

function Block({ block }: { block: SlideBlock }) {
  switch (block.kind) {
    case 'text':
      return <p dir="auto">{block.text}</p>
    case 'list':
      return <List items={block.items} />
    case 'numbers':
      return (
        <dl class="numbers">
          {block.entries.slice(0, maxListItems).map(({ label, value }) => (
            <div key={label + value} dir="auto">
              <dt>{label || 'Value'}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )
    case 'table':
      return (
        <table>
          {block.head.length > 0 && (
            <thead>
              <tr>
                {block.head.map((cell) => (
                  <th key={cell} scope="col" dir="auto">
                    {cell}
                  </th>
                ))}
              </tr>
            </thead>
          )}
          <tbody>
            {block.rows.slice(0, maxRows).map((row, position) => (
              <tr key={position}>
                {row.map((cell, column) => (
                  <td key={column} dir="auto">
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )
    default:
      return null
  }
}

function List({ items }: { items: SlideItem[] }) {
  const shown = items.slice(0, maxListItems)
  return (
    <ul class={shown.some(({ heading }) => heading) ? 'points points-headed' : 'points'}>
      {shown.map(({ heading, text }, position) => (
        <li key={position} dir="auto">
          {heading && <strong>{heading}</strong>}
          {heading && ' '}
          {text}
        </li>
      ))}
      {items.length > shown.length && <li>and {items.length - shown.length} more</li>}
    </ul>
  )
}
