import { describe, expect, it } from 'vitest'
import { createImageRecorder, findImagePaths } from './slide-images.ts'

const of = (shown: unknown) => [...findImagePaths(shown)]

describe('the pictures that slides name', () => {
  it('are found wherever they stand in a slide', () => {
    expect(
      of({
        content: {
          image: { __image_url__: '/app_data/images/a.png' },
          list: [{ x: ['/app_data/images/users/7/b.jpg'] }],
        },
      }),
    ).toEqual(['/app_data/images/a.png', '/app_data/images/users/7/b.jpg'])
  })

  it('are found in HTML, CSS and addresses', () => {
    const html =
      '<img src="/app_data/images/a.png"><div style="background:url(/app_data/images/b.png)"><img src=http://presenton/app_data/images/c.png?v=1>'
    expect(of(html)).toEqual([
      '/app_data/images/a.png',
      '/app_data/images/b.png',
      '/app_data/images/c.png',
    ])
    expect(of('http://presenton/app_data/images/d.png?v=1')).toEqual(['/app_data/images/d.png'])
  })

  it('are not what a text talks about', () => {
    expect(of('See /app_data/images/a.png and http://presenton/app_data/images/b.png.')).toEqual([])
  })

  it('are known by their plain names, encoded or not, also with blanks and brackets', () => {
    expect(of('/app_data/images/two%20words.png')).toContain('/app_data/images/two words.png')
    expect(of('/app_data/images/two words (1).png')).toContain('/app_data/images/two words (1).png')
    expect(of('/app_data/images/100%.png')).toContain('/app_data/images/100%.png')
  })

  it('are nothing else of upstream', () => {
    for (const other of [
      '/app_data/exports/a.pptx',
      '/static/images/a.png',
      'images/a.png',
      7,
      null,
      undefined,
      '/app_data/images/',
    ]) {
      expect(of(other)).toEqual([])
    }
    expect(of(`/app_data/images/${'x'.repeat(2000)}`)).toEqual([])
    expect(of('/app_data/images/a\u0000b.png')).not.toContainEqual(
      expect.stringContaining('\u0000'),
    )
  })

  it('are recorded once, for the user whose slides they are in', () => {
    const notes = createImageRecorder('alice')
    const [first, ...more] = notes.of(['/app_data/images/a.png'])
    expect(more).toEqual([])
    expect(first?.values).toEqual(['alice', ['/app_data/images/a.png']])
    expect(notes.of({ again: '/app_data/images/a.png' })).toEqual([])
    expect(notes.of('/app_data/images/b.png')[0]?.values[1]).toEqual(['/app_data/images/b.png'])
  })
})
