// The rules of NO_PROXY, as curl, Go and undici have them: `*`, a host and its subdomains, with or
// without a dot in front, a port behind it, addresses, and networks. undici knows no networks, and
// no IPv6 address without brackets.

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Whether an entry names the host of the URL. Entries that are none of the above name nothing. */
export function isNamedBy(entries: readonly string[], url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$|\.$/g, '')
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return entries.some((entry) => entry === '*' || names(entry.toLowerCase(), host, port))
}

function names(entry: string, host: string, port: string): boolean {
  if (entry.includes('/')) return isInNetwork(host, entry)
  const isBareAddress = isIP(entry) === 6
  const [, name = '', wantedPort = port] = isBareAddress
    ? [entry, entry]
    : (/^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [])
  if (wantedPort !== port) return false
  const wanted = name.replace(/^\[|\]$|\.$/g, '').replace(/^\*?\./, '')
  if (isIP(host) > 0) return isIP(wanted) > 0 && toText(wanted) === toText(host)
  return wanted !== '' && (host === wanted || host.endsWith(`.${wanted}`))
}

function toText(address: string): string {
  return ipaddr.process(address).toString()
}

function isInNetwork(host: string, network: string): boolean {
  if (isIP(host) === 0 || !ipaddr.isValidCIDR(network)) return false
  const address = ipaddr.process(host)
  const [base, bits] = ipaddr.parseCIDR(network)
  return address.kind() === base.kind() && address.match(base, bits)
}
