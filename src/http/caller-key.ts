// The key that requests are counted under: the user, or the address when there is no valid token.

import type { FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'

export function callerKey(request: FastifyRequest): string {
  const caller = request.caller as FastifyRequest['caller'] | undefined
  return caller ? `user ${caller.userId}` : `address ${networkOf(request.ip)}`
}

/** An IPv4 address as it is; of an IPv6 address the /64, because one host owns all of it. */
function networkOf(forwarded: string): string {
  const ip = withoutPort(forwarded)
  if (!ipaddr.isValid(ip)) return ip
  const address = ipaddr.process(ip)
  return address.kind() === 'ipv4'
    ? address.toString()
    : ipaddr.IPv6.networkAddressFromCIDR(`${ip}/64`).toString()
}

/** Azure and some load balancers forward `203.0.113.7:51234` and `[2001:db8::1]:51234`. */
function withoutPort(address: string): string {
  return (
    /^\[([^\]]*)\](?::\d+)?$/.exec(address)?.[1] ??
    /^(\d+(?:\.\d+){3}):\d+$/.exec(address)?.[1] ??
    address
  )
}
