// What readers get of slides of any layout, and what no reader should see of them.

import { describe, expect, it } from 'vitest'
import { readSlideTexts } from './slide-texts.ts'

const blocksOf = (content: unknown) => readSlideTexts({ content }).blocks

describe('the title', () => {
  it.each([
    ['at the top', { title: 'Ferries', text: 'They run.' }],
    ['below other members', { body: { mainTitle: 'Ferries' }, text: 'They run.' }],
    ['before one of a list', { items: [{ title: 'May' }], header: 'Ferries' }],
  ])('is the one %s, and is not repeated', (_where, content) => {
    const { title, blocks } = readSlideTexts({ content })
    expect(title).toBe('Ferries')
    expect(JSON.stringify(blocks)).not.toContain('Ferries')
  })

  it.each([
    [undefined],
    [null],
    ['text'],
    [[]],
    [{}],
    [{ title: 7 }],
    [{ a: { b: { c: { d: { title: 'x' } } } } }],
  ])('is empty where there is none: %j', (content) =>
    expect(readSlideTexts({ content }).title).toBe(''),
  )
})

describe('texts and numbers', () => {
  it('leaves out instructions, addresses and looks', () => {
    const hidden = {
      ...{ __id: 'h1', image_prompt: 'h2', iconQuery: 'h3', backgroundColor: 'h4', layout: 'h5' },
      ...{ link: 'https://h6.example', tone: '#a1b2c3', picture: 'data:image/png;base64,h7' },
    }
    expect(blocksOf({ ...hidden, text: 'shown' })).toEqual([{ kind: 'text', text: 'shown' }])
  })

  it('makes one block of neighbouring numbers, with words of their names', () => {
    expect(blocksOf({ market_share: 12, yearlyGrowth: 3, text: 'and', decks: 7 })).toEqual([
      {
        kind: 'numbers',
        entries: [
          { label: 'market share', value: '12' },
          { label: 'yearly growth', value: '3' },
        ],
      },
      { kind: 'text', text: 'and' },
      { kind: 'numbers', entries: [{ label: 'decks', value: '7' }] },
    ])
  })

  it('reads what is nested, to a limit', () => {
    const nest = (depth: number): unknown =>
      depth === 0 ? { text: 'deep' } : { a: nest(depth - 1) }
    expect(blocksOf(nest(8))).toEqual([{ kind: 'text', text: 'deep' }])
    expect(blocksOf(nest(9))).toEqual([])
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`t${n}`, { t: `${n}` }]))
    expect(blocksOf(many)).toHaveLength(24)
  })
})

describe('lists', () => {
  it('have items with and without a heading', () => {
    const items = [
      'one',
      { heading: 'Two', text: 'second', icon: 'h1' },
      { label: 'Three' },
      { title: 'Four', points: ['a', { b: 'c', color: 'h2' }], link: 'https://h3.example' },
      { icon: 'h4' },
    ]
    expect(blocksOf({ items })).toEqual([
      {
        kind: 'list',
        items: [
          { heading: '', text: 'one' },
          { heading: 'Two', text: 'second' },
          { heading: '', text: 'Three' },
          { heading: 'Four', text: 'a, c' },
        ],
      },
    ])
  })

  it('of labelled values are numbers', () => {
    expect(
      blocksOf({
        bars: [
          { label: 'May', value: 3 },
          { name: 'June', percent: '4 %' },
        ],
      }),
    ).toEqual([
      {
        kind: 'numbers',
        entries: [
          { label: 'May', value: '3' },
          { label: 'June', value: '4 %' },
        ],
      },
    ])
  })

  it('of lists are tables, and empty ones are nothing', () => {
    expect(
      blocksOf({
        rows: [
          ['a', 1],
          ['b', 2],
        ],
      }),
    ).toEqual([
      {
        kind: 'table',
        head: [],
        rows: [
          ['a', '1'],
          ['b', '2'],
        ],
      },
    ])
    expect(blocksOf({ rows: [] })).toEqual([])
  })
})

describe('tables', () => {
  it.each([
    [
      'rows of cells',
      {
        columns: ['Port', { text: 'Ships' }],
        rows: [
          ['Quay', 3],
          [{ text: 'Bay' }, 4],
        ],
      },
    ],
    [
      'rows with names',
      {
        headers: ['Port', 'Ships'],
        data: [
          { port: 'Quay', ships: 3 },
          { port: 'Bay', ships: 4 },
        ],
      },
    ],
    [
      'rows with a member `cells`',
      { head: ['Port', 'Ships'], rows: [{ cells: ['Quay', 3] }, { cells: ['Bay', 4] }] },
    ],
  ])('of %s', (_what, table) => {
    expect(blocksOf({ table })).toEqual([
      {
        kind: 'table',
        head: ['Port', 'Ships'],
        rows: [
          ['Quay', '3'],
          ['Bay', '4'],
        ],
      },
    ])
  })

  it('show nothing of a row that is none', () => {
    expect(blocksOf({ table: { header: ['Port'], rows: [7] } })).toEqual([
      { kind: 'table', head: ['Port'], rows: [[]] },
    ])
  })
})

describe('images', () => {
  const path = '/app_data/images/quay.png'

  it('are those of the deck, each once, and no icons', () => {
    const content = {
      image: path,
      again: path,
      icon: '/app_data/images/icon.png',
      gallery: [
        path,
        '/app_data/images/bay.png',
        { image: '/app_data/images/sea.png', text: 'Sea' },
      ],
    }
    const images = blocksOf(content).filter(({ kind }) => kind === 'image')
    expect(images).toEqual(
      ['quay', 'bay', 'sea'].map((name) => ({
        kind: 'image',
        path: `/app_data/images/${name}.png`,
      })),
    )
  })
})

describe('what is drawn', () => {
  const text = (...runs: unknown[]) => ({ runs: runs.map((run) => ({ text: run })) })
  const ui = {
    elements: [
      text('They run ', 'until May.'),
      { ...text('Ferries'), font: { size: 40 } },
      { ...text(' '), font: { size: 90 } },
      { data: '/app_data/images/icon.png', is_icon: true },
      { data: '/static/quay.png' },
      { data: '/static/bay.png' },
      { data: 'https://elsewhere.example/x.png' },
      { runs: [null, { text: 7 }] },
    ],
  }
  const drawn = {
    title: 'Ferries',
    blocks: [
      {
        kind: 'list',
        items: [
          { heading: '', text: 'They run until May.' },
          { heading: '', text: '7' },
        ],
      },
      { kind: 'image', path: '/static/quay.png' },
    ],
  }

  it('is read, the largest text first, where there is no content, or another one', () => {
    expect(readSlideTexts({ ui })).toEqual(drawn)
    expect(readSlideTexts({ ui, content: { title: 'Bridges' } })).toEqual(drawn)
    expect(readSlideTexts({ ui: { title: text('Ferries') } })).toEqual({
      title: 'Ferries',
      blocks: [],
    })
  })

  it('gives way to the content that says the same', () => {
    const content = { title: 'Ferries', share: 12 }
    expect(readSlideTexts({ ui, content })).toEqual({
      title: 'Ferries',
      blocks: [{ kind: 'numbers', entries: [{ label: 'share', value: '12' }] }],
    })
  })

  it('is read to a limit', () => {
    const many = Array.from({ length: 90 }, (_, n) => text(`${n}`))
    const { title, blocks } = readSlideTexts({ ui: many })
    expect([title, blocks.length, (blocks[0] as { items: unknown[] }).items.length]).toEqual([
      '0',
      1,
      59,
    ])
    let nested: unknown = text('deep')
    for (let depth = 0; depth < 20; depth += 1) nested = { nested }
    expect(readSlideTexts({ ui: nested })).toEqual({ title: '', blocks: [] })
  })
})
