// The one rule for paths that name a file or an image at Presenton. A path is plain when it says
// literally where it leads: no dot segments, encoded or not, and no second kind of separator.

/**
 * The segments of a decoded path below `root`, which ends in a slash; undefined unless the path is
 * below `root` and plain.
 */
export function plainSegmentsBelow(root: string, path: string): string[] | undefined {
  if (!path.startsWith(root)) return undefined
  const segments = path.slice(root.length).split('/')
  return segments.every(isPlain) ? segments : undefined
}

/** Decodes the path of a request, segment by segment; undefined unless it is plain. */
export function decodePlainPath(encoded: string): string | undefined {
  try {
    const segments = encoded.slice(1).split('/').map(decodeURIComponent)
    return segments.every(isPlain) ? `/${segments.join('/')}` : undefined
  } catch {
    // A malformed percent-encoding.
    return undefined
  }
}

export function encodeSegments(segments: readonly string[]): string {
  return segments.map(encodeURIComponent).join('/')
}

function isPlain(segment: string): boolean {
  return segment !== '' && !/^(?:\.|%2e){1,2}$/i.test(segment) && !/[/\\\p{Cc}]/u.test(segment)
}
