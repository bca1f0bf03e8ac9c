// A connection on which nothing happens is closed after a while. A request whose response takes longer
// than that, such as an export, must not lose its connection.

import type { FastifyRequest } from 'fastify'

/** For work that has a deadline of its own. */
export async function withoutIdleTimeout<T>(
  { raw: { socket } }: Pick<FastifyRequest, 'raw'>,
  act: () => Promise<T>,
): Promise<T> {
  const idleMs = socket.timeout ?? 0
  socket.setTimeout(0)
  try {
    return await act()
  } finally {
    socket.setTimeout(idleMs)
  }
}
