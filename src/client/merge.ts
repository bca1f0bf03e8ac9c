export type Source<T> = (signal: AbortSignal) => AsyncGenerator<T, void, undefined>

/**
 * The values of all sources as they come, of at most `atOnce` at the same time. It takes them from
 * `waiting`, to which sources may be added until the last one has ended.
 */
export async function* merge<T>(
  waiting: Source<T>[],
  { atOnce, signal }: { atOnce: number; signal: AbortSignal | undefined },
): AsyncGenerator<T, void, undefined> {
  const leaving = new AbortController()
  const stop = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal
  type Pulled = { source: AsyncGenerator<T, void, undefined>; result: IteratorResult<T, void> }
  const pulls = new Map<AsyncGenerator<T, void, undefined>, Promise<Pulled>>()
  const pull = (source: AsyncGenerator<T, void, undefined>) =>
    void pulls.set(
      source,
      source.next().then((result) => ({ source, result })),
    )
  try {
    for (;;) {
      for (const open of waiting.splice(0, atOnce - pulls.size)) pull(open(stop))
      if (pulls.size === 0) return
      const { source, result } = await Promise.race(pulls.values())
      pulls.delete(source)
      if (result.done) continue
      yield result.value
      pull(source)
    }
  } finally {
    for (const pending of pulls.values()) pending.catch(() => undefined)
    leaving.abort()
  }
}
