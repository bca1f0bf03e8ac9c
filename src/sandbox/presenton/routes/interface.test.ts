// The routes that only upstream's browser interface uses, as recorded.

import { expect, it, onTestFinished } from 'vitest'
import { openStandIn, type StandInOptions } from '../stand-in.ts'
import { createTestClient, finishDeck } from '../test-client.ts'

async function open(options: StandInOptions = {}) {
  const presenton = await openStandIn(options)
  onTestFinished(() => presenton.close())
  return { presenton, client: createTestClient(presenton) }
}

it('duplicates a deck with slides of its own', async () => {
  const { presenton, client } = await open()
  const id = await finishDeck(client)
  const { status, text } = await client.send('POST', `presentation/${id}/duplicate`)
  const copy = JSON.parse(text)
  const original = presenton.decks.get(id)
  expect(status).toBe(200)
  expect(copy.id).not.toBe(id)
  expect(copy.title).toBe(`${original?.title} (Copy)`)
  expect(copy.slides).toHaveLength(original?.slides.length ?? 0)
  for (const [index, slide] of copy.slides.entries()) {
    expect(slide.presentation).toBe(copy.id)
    expect(slide.id).not.toBe(original?.slides[index]?.id)
    expect(slide.content).toEqual(original?.slides[index]?.content)
  }
})

it('streams a turn of the chat, and keeps it in the history', async () => {
  const { presenton, client } = await open()
  const id = await finishDeck(client)
  const count = presenton.decks.get(id)?.slides.length ?? 0
  const message =
    'UI context: slide 2 (zero-based index 1).\nUser message: tool:deleteSlide {"index":1}'
  const { text } = await client.send('POST', 'chat/message/stream', {
    presentation_id: id,
    message,
  })
  const messages = [...text.matchAll(/^data: (.*)$/gm)].map(([, json = '']) => JSON.parse(json))
  expect(text.startsWith('event: response\ndata: {"type": "status", "status": "Reading')).toBe(true)
  expect(messages.map(({ type }) => type)).toEqual([
    ...['status', 'trace', 'trace', 'trace', 'chunk', 'status', 'complete'],
  ])
  const { chat } = messages.at(-1)
  expect(chat.tool_calls).toEqual(['deleteSlide'])
  expect(presenton.decks.get(id)?.slides).toHaveLength(count - 1)
  expect(presenton.edits).toBe(1)

  const query = `presentation_id=${id}&conversation_id=${chat.conversation_id}`
  const history = JSON.parse((await client.send('GET', `chat/history?${query}`)).text)
  expect(history.messages).toMatchObject([
    { role: 'user', content: 'tool:deleteSlide {"index":1}' },
    { role: 'assistant', content: chat.response },
  ])
})

it('exports by the route of the interface, and sends the file', async () => {
  const { presenton, client } = await open()
  const id = await finishDeck(client)
  const body = { format: 'pdf', id, title: 'The-Marlow-bridge' }
  const { status, text } = await client.send('POST', '/api/export-presentation', body)
  expect(status).toBe(200)
  const { success, path } = JSON.parse(text)
  expect(success).toBe(true)
  expect(path).toMatch(
    /^\/api\/export-presentation\/file\?name=users%2F.*%2FThe-Marlow-bridge\.pdf$/,
  )
  const file = await fetch(`${presenton.url}${path}`)
  expect((await file.text()).startsWith('%PDF')).toBe(true)
  expect(presenton.spend.exports).toBe(1)
})

it('generates an image at every call', async () => {
  const { presenton, client } = await open()
  const first = JSON.parse((await client.send('GET', 'images/generate?prompt=river')).text)
  const second = JSON.parse((await client.send('GET', 'images/generate?prompt=river')).text)
  expect(first).toMatch(/^\/app_data\/images\/users\/.*\.png$/)
  expect(second).not.toBe(first)
  expect(presenton.generatedImages).toBe(2)
  expect((await client.send('GET', 'images/generate')).status).toBe(422)
})
