// Webhooks on the wire: what callers send and get, and the messages that receivers get.

import Type, { type Static } from 'typebox'
import { textSchema } from './brief.ts'
import { count, nullable, oneOf, text, time } from './member-schemas.ts'
import { presentationRef } from './presentation.ts'
import { unicodeFormat } from './text.ts'

export const webhookEvents = [
  'presentation.completed',
  'presentation.failed',
  'presentation.cancelled',
  'presentation.awaiting_outlines',
  'presentation.exported',
  'presentation.edited',
  'presentation.deleted',
] as const
export type WebhookEvent = (typeof webhookEvents)[number]

/** What a message tells; `test` comes only on request. */
export const messageTypes = [...webhookEvents, 'test'] as const
export type MessageType = (typeof messageTypes)[number]

export const maxUrlChars = 2048
export const maxDescriptionChars = 200

export const disabledReasons = ['gone', 'failing'] as const
export type DisabledReason = (typeof disabledReasons)[number]

export const webhookSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    url: text(),
    events: Type.Array(oneOf(webhookEvents)),
    description: nullable(text()),
    enabled: Type.Boolean(),
    disabled_reason: nullable(
      oneOf(
        disabledReasons,
        '`gone`: the receiver responded with 410. `failing`: too many attempts failed.',
      ),
    ),
    created_at: time(),
    updated_at: time(),
  },
  { title: 'Webhook' },
)
export type Webhook = Static<typeof webhookSchema>

const secretSchema = text('Signs the deliveries. It is shown this once.')

export const secretResponseSchema = Type.Object({ secret: secretSchema })

export const createdWebhookSchema = Type.Object(
  { ...webhookSchema.properties, secret: Type.Optional(secretSchema) },
  { title: 'CreatedWebhook' },
)
export type CreatedWebhook = Static<typeof createdWebhookSchema>

export const webhookListSchema = Type.Object({ items: Type.Array(webhookSchema) })

const urlSchema = Type.String({
  minLength: 1,
  maxLength: maxUrlChars,
  format: unicodeFormat,
  description: 'https, with a public host and without user information.',
})
const eventsSchema = Type.Array(oneOf(webhookEvents), {
  minItems: 1,
  maxItems: 100,
  description: 'Default: all.',
})
const descriptionSchema = nullable(textSchema(maxDescriptionChars))

export const newWebhookSchema = Type.Object(
  {
    url: urlSchema,
    events: Type.Optional(eventsSchema),
    description: Type.Optional(descriptionSchema),
  },
  { title: 'NewWebhook', additionalProperties: false },
)
export type NewWebhook = Static<typeof newWebhookSchema>

export const webhookChangesSchema = Type.Object(
  {
    url: Type.Optional(urlSchema),
    events: Type.Optional(eventsSchema),
    description: Type.Optional(descriptionSchema),
    enabled: Type.Optional(Type.Boolean({ description: 'true also forgets the failures so far.' })),
  },
  { title: 'WebhookChanges', additionalProperties: false, minProperties: 1 },
)
export type WebhookChanges = Static<typeof webhookChangesSchema>

export const deliveryStatuses = ['pending', 'delivered', 'failed'] as const
export type DeliveryStatus = (typeof deliveryStatuses)[number]
export const deliveryStatusSchema = oneOf(deliveryStatuses)

/** Why an attempt failed; docs/api.md explains each. */
export const deliveryErrors = [
  'status',
  'redirect',
  'timeout',
  'unreachable',
  'tls',
  'invalid_response',
  'address_refused',
  'gateway',
  'disabled',
] as const
export type DeliveryError = (typeof deliveryErrors)[number]

export const deliverySchema = Type.Object(
  {
    id: Type.String({ format: 'uuid', description: 'The `webhook-id` of the message.' }),
    event: oneOf(messageTypes),
    status: deliveryStatusSchema,
    attempts: count(),
    last_status: nullable(Type.Integer({ description: 'Of the latest response.' })),
    last_error: nullable(oneOf(deliveryErrors, 'Why the latest attempt failed.')),
    next_attempt_at: nullable(time('While pending.')),
    created_at: time(),
  },
  { title: 'WebhookDelivery' },
)
export type WebhookDelivery = Static<typeof deliverySchema>

export const deliveryPageSchema = Type.Object({
  items: Type.Array(deliverySchema),
  next_cursor: nullable(text('For the next page; null on the last one.')),
})

export const deliveryAcceptedSchema = Type.Object({
  delivery_id: Type.String({ format: 'uuid', description: 'The `webhook-id` of the message.' }),
})

/** The body of a delivery. */
export const webhookMessageSchema = Type.Object(
  {
    type: oneOf(messageTypes),
    timestamp: time('When the event happened.'),
    data: Type.Object({ presentation: Type.Optional(presentationRef) }),
  },
  { title: 'WebhookMessage' },
)
export type WebhookMessage = Static<typeof webhookMessageSchema>
