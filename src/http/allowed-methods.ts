// The methods of each path. Fastify returns 404 for a known path with another method; with this
// table it becomes 405.

interface Pattern {
  segments: string[]
  methods: string[]
}

export function createMethodTable() {
  const patterns: Pattern[] = []

  return {
    add(url: string, method: string | string[]) {
      patterns.push({ segments: url.split('/'), methods: [method].flat() })
    },

    /** The sorted methods of all routes that match this path (without query). */
    of(path: string): string[] {
      const segments = path.split('/')
      const methods = patterns
        .filter((pattern) => matches(pattern.segments, segments))
        .flatMap((pattern) => pattern.methods)
      return [...new Set(methods)].sort()
    },
  }
}

function matches(pattern: string[], path: string[]): boolean {
  if (pattern.at(-1) === '*') {
    const prefix = pattern.slice(0, -1)
    return path.length > prefix.length && matches(prefix, path.slice(0, prefix.length))
  }
  return pattern.length === path.length && pattern.every((part, i) => fits(part, path[i] ?? ''))
}

/** A parameter may have a pattern of its own, in parentheses. */
function fits(part: string, segment: string): boolean {
  if (!part.startsWith(':')) return part === segment
  const [, pattern] = /^:\w+\((.*)\)$/.exec(part) ?? []
  return pattern === undefined ? segment !== '' : new RegExp(pattern).test(segment)
}
