// Maps whose memory has a bound, ordered by the time of their last `set`.

/** Sets the entry as the newest, and deletes the oldest ones beyond `maxEntries`. */
export function setNewest<Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  value: Value,
  maxEntries: number,
): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= maxEntries) break
    map.delete(oldest)
  }
}
