// The frame: the bar on top, and the view that the URL names.

import { useEffect, useRef } from 'preact/hooks'
import { Bell } from './bell.tsx'
import { ConnectionNote } from './connection-note.tsx'
import { DeckView } from './deck-view.tsx'
import { Home } from './home.tsx'
import { NotFound } from './not-found.tsx'
import { OutlinesView } from './outlines-view.tsx'
import { homePath, type Route, route, settingsPath } from './router.ts'
import { checkSession, session, unreachableNote } from './session.ts'
import { SettingsView } from './settings-view.tsx'
import { SignIn } from './sign-in.tsx'
import { Toasts } from './toasts.tsx'

export function App() {
  const isIn = session.value === 'in'
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <header class="bar">
        <a class="brand" href={homePath} data-state>
          <span class="mark" aria-hidden="true" />
          Decks
        </a>
        {isIn && (
          <nav aria-label="Main">
            <Bell />
            <a class="button button-plain" href={settingsPath} data-state>
              Settings
            </a>
          </nav>
        )}
      </header>
      <Main />
      <Toasts>
        <ConnectionNote />
      </Toasts>
    </>
  )
}

function Main() {
  const main = useRef<HTMLElement>(null)
  const current = route.value
  const key = 'id' in current ? `${current.name} ${current.id}` : current.name
  const isFirst = useRef(true)
  // A new view is announced by moving the focus to it.
  useEffect(() => {
    if (!isFirst.current) main.current?.focus({ preventScroll: true })
    isFirst.current = false
    if (current.name !== 'deck') document.title = titles[current.name]
  }, [key])
  return (
    <main id="main" tabIndex={-1} ref={main}>
      <View key={key} route={current} />
    </main>
  )
}

const titles: Record<Route['name'], string> = {
  home: 'Decks',
  deck: 'Deck',
  outlines: 'Review the outlines',
  settings: 'Settings',
  unknown: 'Not found',
}

function View({ route: current }: { route: Route }) {
  switch (session.value) {
    case 'checking':
      return (
        <div class="wait" aria-busy="true">
          <p>Opening …</p>
        </div>
      )
    case 'unreachable':
      return <Unreachable />
    case 'out':
      return <SignIn />
    default:
  }
  if (current.name === 'home') return <Home />
  if (current.name === 'deck') return <DeckView id={current.id} />
  if (current.name === 'outlines') return <OutlinesView id={current.id} />
  if (current.name === 'settings') return <SettingsView />
  return <NotFound />
}

function Unreachable() {
  useEffect(() => {
    const timer = setInterval(() => void checkSession(), 5_000)
    const check = () => void checkSession()
    window.addEventListener('online', check)
    return () => {
      clearInterval(timer)
      window.removeEventListener('online', check)
    }
  }, [])
  return (
    <div class="wait" role="status">
      <h1>The gateway cannot be reached</h1>
      <p>{unreachableNote.value}</p>
      <p>The page tries again by itself. Nothing that is being made stops.</p>
      <button type="button" class="button" onClick={() => void checkSession()}>
        Try now
      </button>
    </div>
  )
}
