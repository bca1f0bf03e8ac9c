import { expect, it } from 'vitest'
import { describeSlide } from './slide-text.ts'

it('says what a slide says, line by line', () => {
  const content = {
    title: 'Why now',
    description: 'Demand doubled.',
    bulletPoints: [{ title: 'Half of it', description: 'is about invoices' }, 'and more'],
    table: { columns: ['Quarter', 'Hours'], rows: [['Q1', '9']] },
    metrics: [{ label: 'Answers', value: '4 h' }],
    image: { __image_prompt__: 'a bridge', url: '/app_data/images/a.png' },
  }
  const { title, text } = describeSlide({ content })
  expect(title).toBe('Why now')
  expect(text.split('\n')).toEqual(
    expect.arrayContaining([
      'Demand doubled.',
      '- Half of it: is about invoices',
      '- and more',
      'Quarter | Hours',
      'Q1 | 9',
      'Answers: 4 h',
    ]),
  )
  expect(text).not.toContain('a bridge')
})

it('is empty for a slide of no known shape', () => {
  expect(describeSlide({ content: 7 })).toEqual({ title: '', text: '' })
  expect(describeSlide({})).toEqual({ title: '', text: '' })
})
