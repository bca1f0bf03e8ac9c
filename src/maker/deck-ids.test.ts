import { expect, test } from 'vitest'
import { parseDeckId } from './deck-ids.ts'

const id = '46b92a8c-040f-4815-9913-8f65698fb25d'
const hex = id.replaceAll('-', '')

test('every spelling that upstream takes is the same id', () => {
  for (const text of [id, hex])
    for (const spelt of [text, text.toUpperCase(), `{${text}}`, `urn:uuid:${text}`])
      expect(parseDeckId(spelt), spelt).toBe(id)
  expect(parseDeckId(`URN:UUID:{${hex.toUpperCase()}}`)).toBe(id)
})

test('other texts are not ids', () => {
  const ends = [' ', '\n', '\0', '\r\nX: 1', '/', '/..', '%00', '#', '?', ';', '\u200b', '0']
  for (const text of [
    ...ends.map((end) => `${id}${end}`),
    ...ends.map((start) => `${start}${id}`),
    ...['', 'all', '__proto__', id.slice(1), hex.slice(1), `../${id}`, `%7B${id}%7D`],
    ...[id.replace('-', '\u2010'), id.replace('4', '\uff14'), id.replace('a', 'g')],
    ...[`${hex.slice(0, 4)}-${hex.slice(4)}`, `uuid:${id}`, `urn:${id}`, `{{${id}}}`],
  ])
    expect(parseDeckId(text), JSON.stringify(text)).toBeUndefined()
})
