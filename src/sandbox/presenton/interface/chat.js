// The panel of the assistant beside the slides.

import { call, postStream, ppt, uploadFiles } from './api.js'
import { element, reported } from './dom.js'

const context =
  'UI context: the user is editing a rendered TemplateV2 presentation with the v2 assistant.'

export function openChat({ id, load, slides }) {
  const log = element('ul', { className: 'messages', 'aria-label': 'Messages' })
  const files = element('input', { type: 'file', 'aria-label': 'Attach a document' })
  const text = element('textarea', { rows: 3, 'aria-label': 'Message' })
  const send = element('button', { className: 'primary' }, 'Send')
  let conversationId

  const add = (who, said) => {
    const line = element('li', { className: who }, said)
    log.append(line)
    return line
  }

  const ask = reported('Chat error', async (event) => {
    event.preventDefault()
    const asked = text.value.trim()
    if (asked === '') return
    send.disabled = true
    try {
      const paths = files.files.length > 0 ? await uploadFiles(files.files) : []
      const attachments = paths.map((file_path) => ({
        name: file_path.split('/').at(-1),
        file_path,
      }))
      add('user', asked)
      const answer = add('assistant', '…')
      const slide = `slide ${slides.index() + 1} (zero-based index ${slides.index()})`
      const message = `${context}\nUI context: the currently selected slide is ${slide}.\nUser message: ${asked}`
      const body = { presentation_id: id, message, conversation_id: conversationId, attachments }
      text.value = ''
      files.value = ''
      let said = ''
      for await (const piece of postStream(`${ppt}/chat/message/stream`, body)) {
        if (piece.type === 'status') answer.textContent = `${piece.status} …`
        else if (piece.type === 'trace') answer.textContent = piece.trace.message
        else if (piece.type === 'chunk') {
          said += piece.chunk
          answer.textContent = said
        } else if (piece.type === 'error') throw new Error(piece.detail)
        else if (piece.type === 'complete') {
          conversationId = piece.chat.conversation_id
          answer.textContent = piece.chat.response
          if (piece.chat.tool_calls.length > 0) await load()
        }
      }
    } finally {
      send.disabled = false
    }
  })

  async function loadHistory() {
    const [latest] = await call(`${ppt}/chat/conversations?presentation_id=${id}`)
    if (!latest) return
    conversationId = latest.conversation_id
    const { messages } = await call(
      `${ppt}/chat/history?presentation_id=${id}&conversation_id=${conversationId}`,
    )
    for (const { role, content } of messages) add(role, content)
  }

  loadHistory().catch(() => undefined)
  return element(
    'aside',
    { className: 'chat', 'aria-label': 'Assistant' },
    log,
    element('form', { onsubmit: ask }, text, files, send),
  )
}
