import { expect, it, onTestFinished } from 'vitest'
import { openStandIn, type StandInOptions } from '../sandbox/presenton/stand-in.ts'
import { createTestClient, finishDeck } from '../sandbox/presenton/test-client.ts'
import { asShared, openClient } from './fixtures/upstream.ts'

async function open(options: StandInOptions = {}) {
  const upstream = await openStandIn(options)
  const { credentials } = options
  const presenton = openClient(upstream.url, credentials ? { credentials } : {})
  onTestFinished(async () => {
    await presenton.close()
    await upstream.close()
  })
  return { upstream, presenton }
}

async function openWithDeck(options: StandInOptions = {}) {
  const opened = await open(options)
  const deckId = await finishDeck(createTestClient(opened.upstream))
  return { ...opened, deckId }
}

async function readAll<Message>(batches: AsyncGenerator<Message[]>): Promise<Message[]> {
  const messages: Message[] = []
  for await (const batch of batches) messages.push(...batch)
  return messages
}

it('streams a turn with its conversation and its tools', async () => {
  const { presenton, deckId } = await openWithDeck()
  const message = 'tool:deleteSlide {"index":1}'
  const messages = await readAll(presenton.streamChatTurn({ ...asShared, deckId, message }))
  expect(messages.map(({ type }) => type)).toContain('trace')
  expect(messages.at(-1)).toMatchObject({
    type: 'complete',
    value: { chat: { tool_calls: ['deleteSlide'] } },
  })
})

it('never repeats a turn or an image whose connection broke', async () => {
  const { upstream, presenton, deckId } = await openWithDeck()
  upstream.faults.inject('chat-stream:cut')
  const turn = readAll(presenton.streamChatTurn({ ...asShared, deckId, message: 'shorter' }))
  await expect(turn).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' })
  expect(upstream.edits).toBe(1)

  upstream.faults.inject('generate-image:reply-lost')
  const image = presenton.generateImage({ ...asShared, prompt: 'a river' })
  await expect(image).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' })
  expect(upstream.generatedImages).toBe(1)
})

it('does not repeat a turn or an image after a new login', async () => {
  const credentials = { username: 'admin', password: 'correct horse' }
  const { upstream, presenton } = await open({ credentials })
  const { deckId } = await presenton.createBlankDeck(asShared)
  upstream.dropSessions()
  const turn = readAll(presenton.streamChatTurn({ ...asShared, deckId, message: 'shorter' }))
  await expect(turn).rejects.toBeDefined()
  expect(upstream.journal.filter(({ operation }) => operation === 'chat-stream')).toHaveLength(1)

  // The discarded session was replaced by a new one.
  await presenton.readDeck({ ...asShared, deckId })
  upstream.dropSessions()
  await expect(presenton.generateImage({ ...asShared, prompt: 'x' })).rejects.toBeDefined()
  const asked = upstream.journal.filter(({ operation }) => operation === 'generate-image')
  expect(asked).toHaveLength(1)
})

it('generates an image and returns its path', async () => {
  const { presenton, upstream } = await open()
  const path = await presenton.generateImage({ ...asShared, prompt: 'a river & more' })
  expect(path).toMatch(/^\/app_data\/images\//)
  expect(upstream.journal.at(-1)?.path).toBe(
    '/api/v1/ppt/images/generate?prompt=a%20river%20%26%20more',
  )
})

it('makes blank decks and copies, and says where upstream cannot', async () => {
  const { presenton, upstream } = await open()
  const blank = await presenton.createBlankDeck(asShared)
  expect(blank.slides).toHaveLength(1)
  const copy = await presenton.duplicateDeck({ ...asShared, deckId: blank.deckId })
  expect(copy.deckId).not.toBe(blank.deckId)
  expect(copy.presentation.title).toBe('Untitled Presentation (Copy)')
  expect([...upstream.decks.keys()]).toEqual([blank.deckId, copy.deckId])

  const early = await open({ shape: 'A1' })
  await expect(early.presenton.createBlankDeck(asShared)).rejects.toMatchObject({
    code: 'NOT_SUPPORTED',
  })
})
