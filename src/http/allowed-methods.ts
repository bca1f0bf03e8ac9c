// Which methods a path knows. Fastify answers 404 for a known path with a wrong method; this tells
// the two apart.

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

    /**
     * The methods of the routes that match this path (without query), sorted; none for an unknown
     * path.
     */
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
    const fixed = pattern.slice(0, -1)
    return path.length > fixed.length && matches(fixed, path.slice(0, fixed.length))
  }
  return (
    pattern.length === path.length &&
    pattern.every((part, i) => (part.startsWith(':') ? path[i] !== '' : part === path[i]))
  )
}
