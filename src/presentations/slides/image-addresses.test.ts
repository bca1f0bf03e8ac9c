import { expect, test } from 'vitest'
import { findRefused, type ImageRule, imagePathOf } from './image-addresses.ts'

const rule: ImageRule = {
  known: (text) => text === 'http://known.example/x.png',
  isOwn: (path) => path.startsWith('/app_data/images/users/mine/'),
  hosts: new Set(['images.example', 'other.example:8443']),
}

const refusedIn = (value: unknown) => findRefused(value, rule).map(({ path }) => path)

test.each([
  ...['/static/images/x.jpg', '/app_data/templates/t/static/a%20b.png', '/static/x.png?v=1'],
  ...['data:image/png;base64,AA', '', '#top', 'http://known.example/x.png'],
  ...['/app_data/images/users/mine/a b.png', '/app_data/images/users/mine/a%20b.png'],
  ...['https://images.example/x.png', 'https://other.example:8443/x', 'url(/static/x.png)'],
])('%j passes', (src) => {
  expect(refusedIn({ src })).toEqual([])
})

test.each([
  ...[
    'http://images.example/x.png',
    'https://images.example.evil/x',
    'https://images.example:444/',
  ],
  ...[
    'https://a@images.example/x',
    'https://images.example@evil.example/x',
    'HTTPS:images.example',
  ],
  ...['/app_data/images/users/other/x.png', '/app_data/images/users/mine/../other/x.png'],
  ...['/app_data/images/users/mine/%2e%2e/other/x.png', '/app_data/images/x.png', '/app_data/x'],
  ...['/app_data/images/users/mine/..%2fother/x', '/static/../api/x', '/static/%2e%2e/api/x'],
  ...[
    '/static\\..\\api',
    '/static/..%5capi',
    '/sta\ttic/x',
    '//evil.example/static/x',
    '\\\\evil/x',
  ],
  ...['http://169.254.169.254/latest', 'http://localhost/static/x', 'file:///etc/passwd', 'api/x'],
  ...['jav\tascript:alert(1)', 'blob:x', 'data:text/html,x', 'DATA:image/png,', '/api/v1/x', 'x'],
  ...['url(http://localhost/x)', 'url(/static/x) url(http://localhost/x)', '/static//x', ' /api/x'],
])('%j is refused', (src) => {
  expect(refusedIn({ src })).toEqual(['/src'])
})

test('members are known by their names, in lists and in what images consist of', () => {
  const bad = 'http://10.0.0.1/x'
  for (const name of [
    ...[
      'src',
      'url',
      'href',
      'image',
      'icon',
      '__image_url__',
      '__icon_url__',
      'image_url',
      'data',
    ],
    ...['logoUrl', 'backgroundImage', 'icon_src', 'IMAGE', 'is_icon', 'logo-url'],
  ])
    expect(refusedIn({ a: [{ [name]: bad }] }), name).toEqual([`/a/0/${name}`])
  expect(refusedIn({ images: [bad, '/static/x.png', { link: bad, 'a/b': [bad] }] })).toEqual([
    ...['/images/0', '/images/2/link', '/images/2/a~1b/0'],
  ])
  expect(refusedIn({ type: 'image', data: 'api/v1/x' })).toEqual(['/data'])
  expect(refusedIn({ image: 'api/v1/x', icon: 'x.svg', data: 'a/b' })).toEqual([
    ...['/image', '/icon', '/data'],
  ])
})

test('texts are no addresses', () => {
  const texts = {
    ...{ text: 'http://example.com', title: '/static/../x', body: 'See http://10.0.0.1/x' },
    ...{ image_prompt: 'a: b', __icon_query__: 'http://x', icon: 'star' },
    ...{ prompt: '/x', image: { title: 'A river', width: 3 }, data: ['a', 'b'], image_alt: 'A. B' },
  }
  expect(refusedIn(texts)).toEqual([])
})

test.each([
  ...['Rows: 1 < 2 and <b>3</b> = 3', '<i>a</i> <a href="http://example.com/x">link</a>'],
  ...['Map<String, List<Source>> and <script> in a text', '[a link](http://example.com)'],
  ...['<img src="/static/x.png" alt="A b">', "<img src='data:image/png;base64,AA'/>"],
  ...['<img src=https://images.example/x.png?a=1&amp;b=2>', '![alt](/static/x.png "A title")'],
  ...[
    '<p style="color: red; background: url(/static/x.png)">',
    '<img src="" srcset="/static/a 2x">',
  ],
  ...['<img src="http://known.example/x.png">', 'on = 5, src=http://10.0.0.1/ without a tag'],
  ...['Great![sic] (see http://10.0.0.1)'],
])('markup %j passes', (text) => {
  expect(refusedIn({ text, items: [{ text }] })).toEqual([])
})

test.each([
  ...['<img src="http://10.0.0.1/x">', '<IMG/SRC=http://10.0.0.1/x>', "<img src='api/v1/x'>"],
  ...['<img src=/static/x.png src=http://10.0.0.1/>', '<img\nsrc\n=\n"http://10.0.0.1/x">'],
  ...['<img src="&#104;ttp://10.0.0.1/">', '<img src="/static/&#46;&#46;/api/x">'],
  ...[`<p title=" src='data:image/"><img src=http://10.0.0.1/>'`, '<img src="http://10.0.0.1/x'],
  ...['<img src= src=http://10.0.0.1/>', '<img alt=">" src=//10.0.0.1/x>'],
  ...[
    '<img srcset="/static/x.png 1x, http://10.0.0.1/ 2x">',
    '<img srcset="data:,x, http://a/ 2x">',
  ],
  ...['<img src="data:image/png,x" onerror="fetch(1)">', '<b/onclick=a()>x</b>'],
  ...['<iframe src="data:image/svg+xml,x">', '<iframe srcdoc="x">', '<object data=x>'],
  ...['<svg><image href="http://10.0.0.1/x"></svg>', '<svg><use xlink:href="http://a/x#y"/></svg>'],
  ...['<svg><set attributeName=href to=http://a/></svg>', '<link rel=stylesheet href=http://a/>'],
  ...['<p style="background:url(http://10.0.0.1/)">', '<style>@import "http://a/";</style>'],
  ...['<p style="background:u\\72l(http://a/)">', '<p style="background:ur&#108;(http://a/)">'],
  ...['<style>p{background:url( "http://a/x" )}</style>', '<video poster=http://a/x></video>'],
  ...[
    '<table background="http://10.0.0.1/x">',
    '<meta http-equiv=refresh content="0;url=http://a/">',
  ],
  ...[
    '![a](http://10.0.0.1/x)',
    '![a [b](c)](<http://10.0.0.1/x y>)',
    '![a][r]\n\n[r]: http://a/x',
  ],
])('markup %j is refused', (text) => {
  expect(refusedIn({ text })).toEqual(['/text'])
  expect(refusedIn({ items: [{ image: { caption: text } }] })).toEqual(['/items/0/image/caption'])
  const before = { ...rule, known: (known: string) => known === text }
  if (/on\w+=/.test(text)) expect(findRefused({ text }, before)).toEqual([])
})

test('names at most ten places', () => {
  expect(findRefused(Array(20).fill({ src: 'x' }), rule, '/slides')).toHaveLength(10)
})

test('the path of an image is the decoded one', () => {
  expect(imagePathOf('/app_data/images/users/a/b%20c.png')).toBe('/app_data/images/users/a/b c.png')
  expect(imagePathOf('/static/x.png')).toBeUndefined()
})
