// Messages as upstream streams them: an event named `response` with one line of JSON.

export type Message = { type: string } & Record<string, unknown>

export const frameOf = (message: Message): Buffer =>
  Buffer.from(`event: response\ndata: ${JSON.stringify(message)}\n\n`)

export const errorMessage = (detail: string): Message => ({ type: 'error', detail })
