// Notifications: a bell with the number of unread ones, live.

import { signal, useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { Notification } from '../client/client.ts'
import { keepFollowing } from './follow.ts'
import { since } from './format.ts'
import { refresh } from './library.ts'
import { navigate, route } from './router.ts'
import { gateway } from './session.ts'
import { say, sayError } from './toasts.tsx'

const shown = 30

const notifications = signal<Notification[]>([])
const unread = signal(0)

/** Continues where it was after each sleep of the page. */
function followNotifications(): () => void {
  let cursor: string | undefined
  let isCaughtUp = false
  return keepFollowing(async (abort) => {
    const recent = gateway.notifications.list({ limit: shown, signal: abort })
    const found: Notification[] = []
    for await (const notification of recent) {
      found.push(notification)
      if (found.length === shown) break
    }
    notifications.value = found
    const known = new Set(found.map(({ id }) => id))
    for await (const message of gateway.notifications.follow({ cursor, signal: abort })) {
      if ('unread' in message && typeof message.unread === 'number') unread.value = message.unread
      if (message.type === 'connected') isCaughtUp = true
      if (message.type === 'notification') {
        cursor = message.cursor
        const { unread: _unread, type: _type, ...notification } = message
        if (known.has(message.id)) continue
        known.add(message.id)
        notifications.value = [notification, ...notifications.value].slice(0, shown)
        const id = message.data['presentation_id']
        if (typeof id === 'string') void refresh(id)
        if (isCaughtUp && !message.read && !isShown(id)) say(message.title)
      } else if (message.type === 'notification_read') {
        markRead((id) => id === message.notification_id)
      } else if (message.type === 'notifications_read') {
        markRead(() => true)
      } else if (message.type === 'notification_deleted') {
        const gone = message.notification_id
        notifications.value = notifications.value.filter(({ id }) => id !== gone)
      }
    }
  }, sayError)
}

/** What happens to the deck on the screen is seen there. */
function isShown(id: unknown): boolean {
  const shownNow = route.value
  return 'id' in shownNow && shownNow.id === id && document.visibilityState === 'visible'
}

function markRead(which: (id: string) => boolean): void {
  notifications.value = notifications.value.map((notification) =>
    which(notification.id) ? { ...notification, read: true } : notification,
  )
}

export function Bell() {
  const isOpen = useSignal(false)
  const box = useRef<HTMLDivElement>(null)
  useEffect(followNotifications, [])
  useEffect(() => {
    const close = (event: Event) => {
      const isOutside = event.target instanceof Node && !box.current?.contains(event.target)
      const isEscape = event instanceof KeyboardEvent && event.key === 'Escape'
      if (isEscape && isOpen.value) box.current?.querySelector('button')?.focus()
      if (isEscape || (event.type === 'pointerdown' && isOutside)) isOpen.value = false
    }
    document.addEventListener('pointerdown', close)
    document.addEventListener('keydown', close)
    return () => {
      document.removeEventListener('pointerdown', close)
      document.removeEventListener('keydown', close)
    }
  }, [])
  const n = unread.value
  return (
    <div class="bell" ref={box}>
      <button
        type="button"
        class="button button-plain bell-button"
        aria-expanded={isOpen.value}
        aria-label={n === 0 ? 'Notifications' : `Notifications, ${n} unread`}
        onClick={() => {
          isOpen.value = !isOpen.value
        }}
      >
        <BellIcon />
        {n > 0 && <span class="bell-count">{n > 99 ? '99+' : n}</span>}
      </button>
      {isOpen.value && (
        <Panel
          onChosen={() => {
            isOpen.value = false
          }}
        />
      )}
    </div>
  )
}

function Panel({ onChosen }: { onChosen: () => void }) {
  const list = notifications.value
  async function readAll() {
    const [newest] = list
    if (!newest) return
    try {
      const answer = await gateway.notifications.read({ upTo: newest.id })
      unread.value = answer.unread
      markRead(() => true)
    } catch (error) {
      sayError(error)
    }
  }
  return (
    <section class="panel" aria-label="Notifications">
      <div class="row panel-head">
        <h2>Notifications</h2>
        {unread.value > 0 && (
          <button type="button" class="button button-plain" onClick={() => void readAll()}>
            Mark all as read
          </button>
        )}
      </div>
      {list.length === 0 && <p class="empty">You are told here when a deck is ready.</p>}
      <ul class="notices">
        {list.map((notification) => (
          <Notice key={notification.id} notification={notification} onChosen={onChosen} />
        ))}
      </ul>
    </section>
  )
}

function Notice({ notification, onChosen }: { notification: Notification; onChosen: () => void }) {
  const {
    id,
    title,
    message,
    read,
    timestamp,
    action_url: url,
    notification_type: type,
  } = notification
  function open() {
    if (!read) gateway.notifications.read(id).catch(sayError)
    onChosen()
    if (url === null) return
    const target = new URL(url, location.href)
    if (target.origin === location.origin) navigate(target.pathname)
    else location.assign(target)
  }
  return (
    <li class={read ? 'notice' : 'notice notice-new'}>
      <button type="button" class="notice-open" onClick={open}>
        <span class={`dot dot-${type}`} aria-hidden="true" />
        <span>
          <strong dir="auto">{title}</strong>
          <span class="notice-text" dir="auto">
            {message}
          </span>
          <span class="help">
            {since(timestamp, Date.now())}
            {!read && <span class="sr">, unread</span>}
          </span>
        </span>
      </button>
      <button
        type="button"
        class="close"
        aria-label={`Delete the notification ${title}`}
        onClick={() => {
          notifications.value = notifications.value.filter((other) => other.id !== id)
          gateway.notifications.delete(id).catch(sayError)
        }}
      >
        ×
      </button>
    </li>
  )
}

function BellIcon() {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" class="icon">
      <path d="M12 3a6 6 0 0 0-6 6v4l-2 3h16l-2-3V9a6 6 0 0 0-6-6zM10 19a2 2 0 0 0 4 0" />
    </svg>
  )
}
