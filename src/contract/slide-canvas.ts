// What is drawn on a slide: its texts and images, from the `ui` of versions that draw from it.

type Fields = Record<string, unknown>

const maxDepth = 12
const maxTexts = 60

/** The gateway serves these on its own origin. */
export const ownImage = /^\/(app_data\/(images|templates)|static)\/[^\s"'<>\\]+$/

/** The texts on the canvas, largest first, and the first image that is no icon. */
export function readCanvas(ui: unknown): { texts: string[]; image: string | undefined } {
  const found: { text: string; size: number }[] = []
  let image: string | undefined
  function walk(value: unknown, depth: number) {
    if (depth > maxDepth || found.length >= maxTexts) return
    if (Array.isArray(value)) for (const member of value) walk(member, depth + 1)
    if (!isFields(value)) return
    const { runs, font, data } = value
    if (Array.isArray(runs)) {
      const text = runs.map((run) => (isFields(run) ? textOf(run['text']) : '')).join('')
      const size = isFields(font) && typeof font['size'] === 'number' ? font['size'] : 0
      if (text.trim() !== '') found.push({ text, size })
    } else if (isText(data) && ownImage.test(data) && value['is_icon'] !== true) image ??= data
    else for (const member of Object.values(value)) walk(member, depth + 1)
  }
  walk(ui, 0)
  const largest = found.reduce((most, { size }) => Math.max(most, size), 0)
  const title = found.findIndex(({ size }) => size === largest)
  const texts = found.map(({ text }) => text)
  return { texts: title > 0 ? [...texts.splice(title, 1), ...texts] : texts, image }
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.trim() !== ''

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : ''
}
