// What the tests of recorded sessions compare: the form of a response with that of the recording.

/**
 * The name of a JSON type; `=` and a value that later requests may name; the first element of an
 * array; or the members of an object, with `…` where the recording was cut.
 */
export type Shape = string | true | Shape[] | { [key: string]: Shape }

export interface RecordedRequest {
  method: string
  target: string
  /** `…` stands for slides and outlines, which the interface copies from what it read. */
  body?: Record<string, unknown>
  /** The content type of a JSON body, if it is another one. */
  sent?: string
  /** A form with one file, whose bytes were not recorded. */
  upload?: true
  document?: true
  status: number
  type?: string
  shape?: Shape
  /** By event, type and kind, the form of a stream's messages. */
  frames?: Record<string, Shape>
}

const typeOf = (value: unknown) =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value

/** Notes in `ids` which recorded value became which. */
export function differencesOf(
  shape: Shape,
  actual: unknown,
  ids: Map<string, string>,
  path = 'body',
): string[] {
  if (typeof shape === 'string' && shape.startsWith('=')) {
    if (typeof actual !== 'string') return [`${path}: ${typeOf(actual)}, not string`]
    ids.set(shape.slice(1), actual)
    return []
  }
  const expected = typeof shape === 'string' ? shape : typeOf(shape)
  if (typeOf(actual) !== expected) return [`${path}: ${typeOf(actual)}, not ${expected}`]
  if (Array.isArray(shape)) {
    const [first] = shape
    if (first === undefined) return []
    const elements = actual as unknown[]
    if (elements.length === 0) return [`${path}: empty`]
    return [...new Set(elements.flatMap((one) => differencesOf(first, one, ids, `${path}[]`)))]
  }
  return typeof shape === 'object' ? membersOf(shape, actual as object, ids, path) : []
}

function membersOf(
  shape: Record<string, Shape>,
  actual: object,
  ids: Map<string, string>,
  path: string,
): string[] {
  const { '…': isCut, ...members } = shape
  const values = new Map(Object.entries(actual))
  const additional = isCut ? [] : [...values.keys()].filter((name) => !(name in members))
  return [
    ...Object.entries(members).flatMap(([name, member]) =>
      values.has(name)
        ? differencesOf(member, values.get(name), ids, `${path}.${name}`)
        : [`${path}.${name}: missing`],
    ),
    ...additional.map((name) => `${path}.${name}: additional`),
  ]
}

/** The messages of a stream, by event, type and kind. */
export function framesOf(text: string): Map<string, unknown[]> {
  const frames = new Map<string, unknown[]>()
  for (const [, event = '', data = ''] of text.matchAll(/^event: (.*)\ndata: (.*)$/gm)) {
    const message = JSON.parse(data) as { type?: string; trace?: { kind?: string } }
    const name = [event, message.type, message.trace?.kind].filter((part) => part).join(' ')
    frames.set(name, [...(frames.get(name) ?? []), message])
  }
  return frames
}
