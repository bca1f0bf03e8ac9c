// Resolves the names of receivers. getaddrinfo occupies one of the process's few threads for as
// long as a name server is silent, so DNS is asked without a thread first. Only names that DNS does
// not know (hosts file, search domains) go to getaddrinfo, few at a time.

import dns from 'node:dns'
import { isIP } from 'node:net'
import { createLimiter } from '../async/limiter.ts'
import { raceSignal } from '../async/signals.ts'

const queryTimeoutMs = 2_000
const tries = 2
const lookups = createLimiter(2)

/**
 * All addresses of a name, IPv4 first; none if it has none. An address is returned as it is.
 *
 * @throws the signal's reason
 */
export async function resolveHost(name: string, signal: AbortSignal): Promise<string[]> {
  if (isIP(name) > 0) return [name]
  const isLocal = name === 'localhost' || name.endsWith('.localhost')
  const found = isLocal ? [] : await raceSignal(queryDns(name), signal)
  return found.length > 0 ? found : lookUp(name, signal)
}

async function queryDns(name: string): Promise<string[]> {
  const resolver = new dns.promises.Resolver({ timeout: queryTimeoutMs, tries })
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
}

function lookUp(name: string, signal: AbortSignal): Promise<string[]> {
  // The thread is free when the lookup ends, also if its result is no longer wanted.
  const found = lookups.run(
    signal,
    () =>
      new Promise<string[]>((resolve) => {
        dns.lookup(name, { all: true, order: 'ipv4first' }, (error, addresses) =>
          resolve(error ? [] : addresses.map(({ address }) => address)),
        )
      }),
  )
  return raceSignal(found, signal)
}
