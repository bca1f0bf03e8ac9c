// What the gateway tells the page before its first call, in meta elements of index.html.

function read(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="gateway-${name}"]`)?.content ?? ''
}

/** The path below which the gateway is, without a slash at the end. */
export const base = read('base')
/** Empty: there is no login page. */
export const loginUrl = read('login-url')
export const maxSlides = Number(read('max-slides')) || 20
