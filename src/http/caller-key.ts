// By what name those are counted who ask: the user, or who shows no good token, the address.

import { isIPv6 } from 'node:net'
import type { FastifyRequest } from 'fastify'

export function callerKey(request: FastifyRequest): string {
  const caller = request.caller as FastifyRequest['caller'] | undefined
  return caller ? `user ${caller.userId}` : `address ${networkOf(request.ip)}`
}

/**
 * The address of an IPv4 host; of IPv6 the first 64 bits, since every host there has the rest for
 * itself.
 */
function networkOf(ip: string): string {
  const address = ip.replace(/%.*$/s, '')
  if (!isIPv6(address)) return address
  const tail = address.slice(address.lastIndexOf(':') + 1)
  if (tail.includes('.')) return tail
  const [head = '', rest] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing =
    rest === undefined ? 0 : 8 - groups.length - (rest === '' ? 0 : rest.split(':').length)
  const all = [...groups, ...Array<string>(missing).fill('0'), ...(rest ? rest.split(':') : [])]
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::`
}
