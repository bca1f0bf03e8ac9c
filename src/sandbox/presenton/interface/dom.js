// Elements of the pages, and one line of news at the bottom of them.

/** Members that begin with "on" are listeners; the others are properties, or else attributes. */
export function element(tag, members = {}, ...children) {
  const node = document.createElement(tag)
  for (const [name, value] of Object.entries(members)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value)
    else if (name in node) node[name] = value
    else node.setAttribute(name, value)
  }
  node.append(...children)
  return node
}

export const button = (label, onclick, members = {}) =>
  element('button', { type: 'button', onclick, ...members }, label)

export const field = (label, input) => element('label', { className: 'field' }, label, input)

/** What the real interface shows as a toast. */
export function toast(text) {
  document.querySelector('.toast')?.remove()
  document.body.append(element('p', { className: 'toast', role: 'status' }, text))
}

/** For handlers of events: a failure becomes a toast. */
export function reported(what, work) {
  return async (...given) => {
    try {
      await work(...given)
    } catch (error) {
      toast(`${what}: ${error.message}`)
    }
  }
}
