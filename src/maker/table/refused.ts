// What upstream has and the maker refuses, for everybody and on purpose. It is 404 because no row
// names it; this list shows that none was forgotten.

import { ppt, type Row } from './row.ts'

type Method = Row['method']

/** In a path, `{…}` stands for one part of it, and for the rest at its end. */
export interface Refusal {
  /** Without it, every method. */
  method?: Method
  path: string
}

const refuse = (paths: readonly string[], method?: Method): Refusal[] =>
  paths.map((path) => ({ ...(method && { method }), path }))

export const refusals: readonly Refusal[] = [
  // Pages for the container's own browser, for administrators, and for templates of one's own.
  ...refuse(['/pdf-maker', '/schema', '/custom-template', '/settings', '/admin']),
  ...refuse(['/template-preview/{slug}']),
  // Keys, accounts and settings of the installation.
  ...refuse(['/api/user-config', '/api/v1/admin/{path}', `${ppt}/codex/{path}`]),
  ...refuse(['/api/v1/auth/login', '/api/v1/auth/setup', '/api/v1/auth/verify']),
  ...refuse(['/api/v1/auth/token/{path}', '/api/github-stars']),
  // They call any address that they are given.
  ...refuse(['/api/v1/webhook/{path}', '/api/v1/mock/{path}', `${ppt}/ollama/{path}`]),
  ...refuse(['openai', 'google', 'anthropic'].map((name) => `${ppt}/${name}/models/available`)),
  // They run code of the caller, or write any file.
  ...refuse(['/api/save-layout', '/api/validate-layout-code', '/api/template/custom']),
  ...refuse([`${ppt}/files/update`, `${ppt}/presentation/export/pptx`]),
  // Templates, fonts and themes of one's own.
  ...refuse([`${ppt}/template/{path}`], 'POST'),
  ...refuse([`${ppt}/template/{path}`], 'PATCH'),
  ...refuse([`${ppt}/template/{path}`], 'DELETE'),
  ...refuse([`${ppt}/template-management/{path}`, `${ppt}/slide-to-html/`]),
  ...refuse([`${ppt}/html-to-react/`, `${ppt}/html-edit/`, `${ppt}/pdf-slides/process`]),
  ...refuse([`${ppt}/pptx-slides/process`, `${ppt}/pptx-fonts/process`, `${ppt}/theme/generate`]),
  ...refuse([`${ppt}/fonts/upload`], 'POST'),
  ...refuse([`${ppt}/fonts/{path}`], 'DELETE'),
  ...refuse([`${ppt}/themes/create`], 'POST'),
  ...refuse([`${ppt}/themes/update/{id}`], 'PATCH'),
  ...refuse([`${ppt}/themes/delete/{id}`], 'DELETE'),
  ...refuse(['/api/v1/async-tasks/status/{id}']),
  // Paid work without the gateway's quotas, events and files. The API has routes for all of it.
  ...refuse(['edit', 'derive', 'generate', 'generate/async', 'status/{id}', 'export'].map(onDecks)),
  ...refuse([`${ppt}/slide/edit`, `${ppt}/slide/edit-html`]),
  ...refuse(['/api/presentation_to_pptx_model', '/api/export-as-pdf']),
  ...refuse(['/api/export-presentation-data/{id}']),
  // Images go to `images/upload`, which the interface uses and which checks them.
  ...refuse(['/api/upload-image']),
  // Files that have links of ours, and files of the conversion.
  ...refuse(
    ['exports', 'uploads', 'pptx-to-html', 'pptx-to-json'].map((of) => `/app_data/${of}/{path}`),
  ),
  // The gateway has its own at these paths, on its own origin.
  ...refuse(['/docs', '/openapi.json', '/mcp', '/mcp/{path}', '/api/v2/{path}']),
]

function onDecks(path: string): string {
  return `${ppt}/presentation/${path}`
}
