// The input schema of a tool as agents see it. It spends their context with every call, so what
// only our validator needs is left out.

import { cleanText, unicodeFormat, visibleText } from '../contract/text.ts'

/** Without the patterns and the format of texts; the validator still holds them. */
export function toAdvertisedSchema(schema: object): object {
  return JSON.parse(
    JSON.stringify(schema, (name, value: unknown) => {
      if (name === 'pattern' && (value === cleanText || value === visibleText)) return undefined
      if (name === 'format' && value === unicodeFormat) return undefined
      return value
    }),
  )
}
