// Which URLs webhooks may have, and to which addresses deliveries may go. Deny by default: private
// networks, metadata services and everything that may lead into them are refused, when a URL is
// saved and again at each delivery.

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { resolveHost } from '../http/resolve-host.ts'

/** The URL is refused. The message says why, and nothing of what was found. */
export class ReceiverRefused extends Error {
  override name = 'ReceiverRefused'
}

/** Its name has no address, for now or for good. */
export class ReceiverUnresolved extends ReceiverRefused {
  override name = 'ReceiverUnresolved'
}

export interface Receiver {
  url: URL
  /** Host and port, for the limit of deliveries to one host. */
  host: string
}

type Network = [ipaddr.IPv4 | ipaddr.IPv6, number]

const parseNetworks = (texts: readonly string[]) => texts.map(parseNetwork)

/** Networks of IPv4 that are not public (IANA's registry), and Azure's metadata address. */
const refusedIpv4 = parseNetworks([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16'],
  ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  '168.63.129.16/32',
])

/** What is public in IPv6, but for the protocols (such as Teredo), documentation and 6to4 in it. */
const publicIpv6 = parseNetworks(['2000::/3'])
const refusedIpv6 = parseNetworks(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'])

const maxHostChars = 253
const publicOnly = 'must have a host that resolves to public addresses only'

export type Receivers = ReturnType<typeof createReceivers>

/** `allowedNetworks`: CIDRs and addresses that may be used although they are not public. */
export function createReceivers({
  allowedNetworks,
  resolve = resolveHost,
}: {
  allowedNetworks: readonly string[]
  resolve?: typeof resolveHost
}) {
  const allowed = parseNetworks(allowedNetworks)

  /**
   * The checked addresses of the receiver: connect to no other.
   *
   * @throws ReceiverRefused, ReceiverUnresolved; the signal's reason
   */
  async function findAddresses({ url }: Receiver, signal: AbortSignal): Promise<string[]> {
    const addresses = await resolve(hostName(url), signal)
    const isHttps = url.protocol === 'https:'
    const mayUse = (address: string) =>
      isIn(allowed, address) || (isHttps && isPublicAddress(address))
    if (addresses.length === 0) throw new ReceiverUnresolved(publicOnly)
    if (!addresses.every(mayUse)) throw new ReceiverRefused(publicOnly)
    return addresses
  }

  return {
    findAddresses,

    /** For a URL that is about to be saved. @throws ReceiverRefused; the signal's reason */
    async check(text: string, signal: AbortSignal): Promise<Receiver> {
      const receiver = parseReceiver(text)
      const isOpen = allowed.length > 0
      if (receiver.url.protocol !== 'https:' && !isOpen) throw new ReceiverRefused('must use https')
      await findAddresses(receiver, signal)
      return receiver
    },
  }
}

/** @throws ReceiverRefused */
export function parseReceiver(text: string): Receiver {
  if (!URL.canParse(text)) throw new ReceiverRefused('must be an absolute URL')
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new ReceiverRefused('must use https')
  if (url.username || url.password)
    throw new ReceiverRefused('must not contain a user name or a password')
  if (url.port === '0' || url.hostname.length > maxHostChars)
    throw new ReceiverRefused('must have a valid host and port')
  return { url, host: `${hostName(url)}:${url.port || (url.protocol === 'https:' ? 443 : 80)}` }
}

/** Without the brackets of IPv6, and without the dot of a fully qualified name. */
export function hostName({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$|\.$/g, '')
}

export function isPublicAddress(address: string): boolean {
  // With a zone (`fe80::1%eth0`) it names a link of this machine.
  if (isIP(address) === 0 || address.includes('%')) return false
  return isIP(address) === 4
    ? !isIn(refusedIpv4, address)
    : isIn(publicIpv6, address) && !isIn(refusedIpv6, address)
}

function isIn(networks: readonly Network[], address: string): boolean {
  if (isIP(address) === 0 || address.includes('%')) return false
  // Not `process`: an IPv4-mapped address is one of IPv6.
  const parsed = ipaddr.parse(address)
  return networks.some(([base, bits]) => parsed.kind() === base.kind() && parsed.match(base, bits))
}

function parseNetwork(text: string): Network {
  if (text.includes('/')) return ipaddr.parseCIDR(text)
  const address = ipaddr.parse(text)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}
