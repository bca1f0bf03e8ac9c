// For URLs that lead to nothing: a way home.

import { homePath } from './router.ts'

export function NotFound() {
  return (
    <div class="wait">
      <h1>Nothing is here</h1>
      <p>The deck was deleted, or the address is wrong.</p>
      <a class="button button-main" href={homePath} data-state>
        Go to your decks
      </a>
    </div>
  )
}
