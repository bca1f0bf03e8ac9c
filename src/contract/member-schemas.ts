// Schemas of single members, which the wire schemas are built from.

import Type, { type TSchema } from 'typebox'

export function nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}

/** One of a list of words, as an `enum` that documentation tools show. */
export function oneOf<const T extends readonly string[]>(values: T, description?: string) {
  return Type.Unsafe<T[number]>({
    type: 'string',
    enum: values,
    ...(description && { description }),
  })
}

/** RFC 3339, UTC. */
export const time = (description?: string) =>
  Type.String({ format: 'date-time', ...(description && { description }) })

export const text = (description?: string) => Type.String(description ? { description } : {})

/** A whole number from 0. */
export const count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description && { description }) })
