// The small pages that the maker's origin shows itself. They work without a script.

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const escapeHtml = (text: string) =>
  text.replace(/[&<>"']/g, (character) => escapes[character] ?? '')

const style = `
  :root { color-scheme: light dark; color: #111827; background: #fff }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1rem }
  h1 { font-size: 1.3rem }
  a { color: #1d4ed8 }
  @media (prefers-color-scheme: dark) {
    :root { color: #f3f4f6; background: #111 }
    a { color: #93c5fd }
  }
  button { font: inherit; padding: .4rem 1rem }`

export interface SmallPage {
  title: string
  /** Plain text. */
  text: string
  /** HTML. */
  rest?: string
}

export function smallPage({ title, text, rest = '' }: SmallPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
${rest}
</main>
</body>
</html>
`
}

export const linkTo = (href: string, label: string) =>
  `<p><a href="${escapeHtml(href)}">${escapeHtml(label)}</a></p>`

/** Asks before another user's session of this browser ends. */
export function confirmPage(ticket: string): string {
  return smallPage({
    title: 'Change the user?',
    text: 'Another user is signed in to the slide maker in this browser. Their session ends if you go on.',
    rest: `<form method="post" action="/_enter">
<input type="hidden" name="ticket" value="${escapeHtml(ticket)}">
<button>Go on</button>
</form>
${linkTo('/dashboard', 'Keep the present session')}`,
  })
}
