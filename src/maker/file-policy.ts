// The policy of files other than pages. Some are drawings that users or a model made: opened as
// a document on the maker's origin, an SVG would run its scripts with the session of its visitor.

/** An origin of its own, and no script. An image in a page is not affected. */
export const filePolicy =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'"

const fileRoutes = /^\/(?:app_data\/|static\/|api\/update-svg$|_next\/image$)/

/** `route` is the path in the table; of the interface's own files the type decides. */
export function isFile(route: string, contentType: unknown): boolean {
  return fileRoutes.test(route) || /^(?:image|font)\//i.test(String(contentType))
}
