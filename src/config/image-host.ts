// A server whose images slides may name.

import { reject } from './values.ts'

/** As a URL has it: in lower case, with a port only where it is not that of https. */
export function imageHost(text: string): string {
  const url = URL.canParse(`https://${text}`) ? new URL(`https://${text}`) : undefined
  return url && url.href === `https://${url.host}/` && /^[\w.[\]:-]+$/.test(text)
    ? url.host
    : reject('must be host names, without a scheme or a path')
}
