import { expect, it } from 'vitest'
import type { Context } from './context.ts'
import { forwardMessage } from './forward-message.ts'

it("redacts every text of upstream's status messages", async () => {
  const forwarded: Record<string, unknown>[] = []
  const context = {
    upstreamEvent: (type: string, fields: object) => ({
      data: JSON.stringify({ type, ...fields }),
    }),
    append: async ({ events }: { events: { data: string }[] }) =>
      forwarded.push(...events.map(({ data }) => JSON.parse(data))),
  } as unknown as Context
  const value = {
    type: 'status',
    status: 'Asking http://llm.internal:8000/v1',
    detail: 'key sk-abcdef123456 for /app_data/x',
    step: 2,
    asked: [{ host: 'llm.internal:8000' }],
  }
  await forwardMessage(context, { type: 'status', value })
  expect(forwarded).toEqual([
    {
      type: 'status',
      status: 'Asking [url]',
      detail: 'key [secret] for [path]',
      step: 2,
      asked: [{ host: '[host]' }],
    },
  ])
})
