// A new deck from a text and documents.

import { call, ppt, uploadFiles } from './api.js'
import { element, field, reported } from './dom.js'

export function showUpload(main, { navigate, memory }) {
  const text = element('textarea', { rows: 6, placeholder: 'What is it about?' })
  const files = element('input', { type: 'file', multiple: true })
  const count = element(
    'select',
    {},
    ...['Auto', '3', '5', '8'].map((label) =>
      element('option', { value: label === 'Auto' ? '' : label }, label),
    ),
  )
  const submit = element('button', { className: 'primary' }, 'Get started')

  const start = reported('Could not make it', async (event) => {
    event.preventDefault()
    submit.disabled = true
    try {
      const paths = files.files.length > 0 ? await uploadFiles(files.files) : []
      const language = 'English'
      // Only reads them ahead: what cannot be read now is read when the outlines are written.
      if (paths.length > 0)
        await call(`${ppt}/files/decompose`, {
          method: 'POST',
          body: { file_paths: paths, language },
        }).catch(() => undefined)
      const { id } = await call(`${ppt}/presentation/create`, {
        method: 'POST',
        body: {
          content: text.value,
          version: 'v2-standard',
          n_slides: count.value === '' ? null : Number(count.value),
          file_paths: paths,
          language,
          tone: 'default',
          verbosity: 'standard',
          instructions: null,
          include_table_of_contents: false,
          include_title_slide: false,
          web_search: false,
        },
      })
      memory.outlinesOf = id
      await navigate('/outline')
    } finally {
      submit.disabled = false
    }
  })

  main.append(
    element('h1', {}, 'New presentation'),
    element(
      'form',
      { onsubmit: start },
      field('Text', text),
      field('Slides', count),
      field('Documents', files),
      submit,
    ),
  )
}
