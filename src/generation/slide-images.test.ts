import { describe, expect, it } from 'vitest'
import { findImagePaths } from '../presenton/image-paths.ts'
import { createImageRecorder } from './slide-images.ts'

const pathsIn = (value: unknown) => [...findImagePaths(value)]

describe('image paths in slides', () => {
  it('are found at any depth of a slide', () => {
    expect(
      pathsIn({
        content: {
          image: { __image_url__: '/app_data/images/a.png' },
          list: [{ x: ['/app_data/images/users/7/b.jpg'] }],
        },
      }),
    ).toEqual(['/app_data/images/a.png', '/app_data/images/users/7/b.jpg'])
  })

  it('are found in HTML, CSS and URLs', () => {
    const html =
      '<img src="/app_data/images/a.png"><div style="background:url(/app_data/images/b.png)"><img src=http://presenton/app_data/images/c.png?v=1>'
    expect(pathsIn(html)).toEqual([
      '/app_data/images/a.png',
      '/app_data/images/b.png',
      '/app_data/images/c.png',
    ])
    expect(pathsIn('http://presenton/app_data/images/d.png?v=1')).toEqual([
      '/app_data/images/d.png',
    ])
  })

  it.each([
    ['<img src="/app_data/images/two words (1).png">', 'two words (1).png'],
    [`<div style="background: url('/app_data/images/a (1).png')">`, 'a (1).png'],
    ['<div style="background:url(&quot;/app_data/images/q.png&quot;)">', 'q.png'],
    ['<img src="/app_data/images/a&amp;b.png">', 'a&b.png'],
    ['<img srcset="/static/x.png 1x, /app_data/images/big.png 2x">', 'big.png'],
    [`<source srcset='/app_data/images/s.png 1x, http://p/app_data/images/l.png 2x'>`, 'l.png'],
    ['<img src="/app_data/images/Größe%20数.png">', 'Größe 数.png'],
    ['  /app_data/images/spaced.png\n', 'spaced.png'],
    ['<svg><image xlink:href="/app_data/images/users/u/v.webp"/></svg>', 'users/u/v.webp'],
    [String.raw`{"html":"<img src=\"/app_data/images/escaped.png\">"}`, 'escaped.png'],
  ])('are found as browsers read them: %s', (markup, name) => {
    expect(pathsIn(markup)).toContain(`/app_data/images/${name}`)
  })

  it('are found in time that grows with the text', () => {
    for (const part of ['srcset="', `"/app_data/images/`, `'/app_data/images/ `, '&amp;&quot;']) {
      const startedMs = performance.now()
      pathsIn(`/app_data/images/${part.repeat(100_000)}`)
      expect(performance.now() - startedMs).toBeLessThan(5_000)
    }
  })

  it('are not found in prose', () => {
    expect(
      pathsIn('See /app_data/images/a.png and http://presenton/app_data/images/b.png.'),
    ).toEqual([])
  })

  it('are decoded, and may contain spaces and brackets', () => {
    expect(pathsIn('/app_data/images/two%20words.png')).toContain('/app_data/images/two words.png')
    expect(pathsIn('/app_data/images/two words (1).png')).toContain(
      '/app_data/images/two words (1).png',
    )
    expect(pathsIn('/app_data/images/100%.png')).toContain('/app_data/images/100%.png')
  })

  it('are found only below /app_data/images, without control characters, and up to a limit', () => {
    for (const other of [
      '/app_data/exports/a.pptx',
      '/static/images/a.png',
      'images/a.png',
      7,
      null,
      undefined,
      '/app_data/images/',
    ]) {
      expect(pathsIn(other)).toEqual([])
    }
    expect(pathsIn(`/app_data/images/${'x'.repeat(2000)}`)).toEqual([])
    expect(pathsIn('/app_data/images/a\u0000b.png')).not.toContainEqual(
      expect.stringContaining('\u0000'),
    )
  })

  it('are recorded once for the user of the slides', () => {
    const recorder = createImageRecorder('alice')
    const [first, ...more] = recorder.of(['/app_data/images/a.png'])
    expect(more).toEqual([])
    expect(first?.values).toEqual(['alice', ['/app_data/images/a.png']])
    expect(recorder.of({ again: '/app_data/images/a.png' })).toEqual([])
    expect(recorder.of('/app_data/images/b.png')[0]?.values[1]).toEqual(['/app_data/images/b.png'])
  })
})
