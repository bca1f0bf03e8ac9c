// Entry of the page.

import { render } from 'preact'
import { App } from './app.tsx'
import { startSession } from './session.ts'

const root = document.getElementById('page')
if (root) {
  root.replaceChildren()
  render(<App />, root)
}
void startSession()
