// The one script of ours in upstream's pages, a file on the maker's origin. The interface shows
// nothing when a save is refused or its session ends; this script does.

/** Of a page of the interface; they have less than 1 MiB. */
export const maxPageBytes = 8 * 1024 * 1024

export const noticePath = '/_maker/notice.js'
export const sessionPath = '/_maker/session'

/** The page with the script. A page without a head stays as it is. */
export function addNotice(page: string): string {
  return page.replace('</head>', `<script src="${noticePath}" defer></script></head>`)
}

/** The notice appears when a third of the session is left, at most so long before its end. */
const maxWarnMs = 600_000

export interface NoticeState {
  ends_at: string
  /** When to warn. */
  warns_at: string
  now: string
}

export function noticeState(
  { createdAt, expiresAt }: { createdAt: Date; expiresAt: Date },
  now = new Date(),
): NoticeState {
  const warnMs = Math.min(maxWarnMs, (expiresAt.getTime() - createdAt.getTime()) / 3)
  return {
    ends_at: expiresAt.toISOString(),
    warns_at: new Date(expiresAt.getTime() - warnMs).toISOString(),
    now: now.toISOString(),
  }
}

/** In plain JavaScript for any browser that can run the interface. */
export const noticeScript = `(() => {
  const text = {
    soon: 'Your session in the slide maker ends soon.',
    over: 'Your session in the slide maker is over. Changes are no longer saved.',
    failed: 'The last change was not saved.',
  }
  let bar
  function show(kind, link, label) {
    bar ??= document.createElement('div')
    bar.id = 'maker-notice'
    bar.setAttribute('role', 'alert')
    bar.style.cssText = 'position:fixed;z-index:2147483647;left:50%;bottom:1rem;' +
      'transform:translateX(-50%);width:max-content;max-width:calc(100vw - 2rem);' +
      'box-sizing:border-box;padding:.7rem 1rem;border-radius:.5rem;background:#7f1d1d;' +
      'color:#fff;font:14px/1.4 system-ui,sans-serif;box-shadow:0 2px 12px #0006'
    const anchor = document.createElement('a')
    anchor.href = link
    anchor.textContent = label
    anchor.style.cssText = 'color:#fff;margin-left:.7rem;text-decoration:underline'
    bar.replaceChildren(text[kind], anchor)
    bar.dataset.kind = kind
    document.body.append(bar)
  }
  const renew = () => '/_maker/sign-in?return_to=' +
    encodeURIComponent(location.pathname + location.search)
  const reload = () => location.pathname + location.search
  const over = () => show('over', renew(), 'Sign in again')

  async function check() {
    let nextMs = 30000
    try {
      const response = await plainFetch('${sessionPath}', { cache: 'no-store' })
      if (response.status === 401) over()
      else if (response.ok) {
        const { ends_at, warns_at, now } = await response.json()
        const at = Date.parse(now)
        const untilMs = (at < Date.parse(warns_at) ? Date.parse(warns_at) : Date.parse(ends_at)) - at
        if (at >= Date.parse(warns_at)) show('soon', renew(), 'Renew it')
        else if (bar && bar.dataset.kind !== 'failed') bar.remove()
        nextMs = Math.min(Math.max(untilMs, 1000), nextMs)
      }
    } catch {
      // Offline: the next check finds out.
    }
    setTimeout(check, nextMs)
  }

  const plainFetch = window.fetch.bind(window)
  window.fetch = async (input, init) => {
    const method = (init && init.method) || (input instanceof Request ? input.method : 'GET')
    const response = await plainFetch(input, init)
    const url = new URL(input instanceof Request ? input.url : String(input), location.href)
    const isSave = !/^(get|head)$/i.test(method) && url.pathname.startsWith('/api/')
    if (isSave && url.origin === location.origin && response.status >= 400) {
      if (response.status === 401) over()
      else show('failed', reload(), 'Reload the page')
    }
    return response
  }
  check()
})()
`
