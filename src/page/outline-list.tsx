// The outlines: as they are written, then as they are.

import { type DeckState, readOutline, readOutlinesSoFar } from './deck-state.ts'

export function Outlines({ state }: { state: DeckState }) {
  const isWriting = state.outlineText !== ''
  const outlines = isWriting ? readOutlinesSoFar(state.outlineText) : state.outlines
  if (outlines.length === 0) return null
  return (
    <section class="outlines" aria-labelledby="outlines-title">
      <h2 id="outlines-title">{isWriting ? 'Outlines, as they are written' : 'Outlines'}</h2>
      <ol>
        {outlines.map((outline, index) => {
          const { title, lines } = readOutline(outline)
          return (
            <li key={index} class="outline" dir="auto">
              <h3 dir="auto">{title}</h3>
              {lines.map((line, position) => (
                <p key={position} dir="auto">
                  {line}
                </p>
              ))}
            </li>
          )
        })}
      </ol>
    </section>
  )
}
