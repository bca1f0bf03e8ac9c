// The texts of a slide, wherever its layout has them.

const isNoText = /^__|_prompt$|_url$|_query$|image$|icon$/i

/** Each with its place in the content. */
export function textsOf(slide) {
  const found = []
  const walk = (value, path) => {
    if (typeof value === 'string') found.push({ path, text: value })
    else if (value && typeof value === 'object')
      for (const [name, member] of Object.entries(value))
        if (!isNoText.test(name)) walk(member, [...path, name])
  }
  walk(slide?.content, [])
  return found
}

/** Changes the text in the content, and in what is drawn. */
export function setText(slide, path, text) {
  const last = path.at(-1)
  const parent = path.slice(0, -1).reduce((value, name) => value[name], slide.content)
  const before = parent[last]
  parent[last] = text
  const redraw = (value) => {
    if (!value || typeof value !== 'object') return
    for (const [name, member] of Object.entries(value)) {
      if (name === 'text' && member === before) value[name] = text
      else redraw(member)
    }
  }
  if (before !== '') redraw(slide.ui)
}

/** The first picture of a slide that this origin serves. */
export function pictureOf(slide) {
  const text = JSON.stringify(slide.ui ?? slide.content ?? {})
  return /"(\/(?:static|app_data)\/[^"\\]+\.(?:png|jpe?g|webp|svg))"/.exec(text)?.[1]
}
