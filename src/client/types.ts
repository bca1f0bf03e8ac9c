// The types of the API, by their names. All of them come from the gateway's OpenAPI document.

import type { components, operations } from './openapi.ts'

type Schemas = components['schemas']

/** The JSON body of an operation's response. */
type ResponseOf<Operation extends keyof operations, Status extends number> =
  operations[Operation]['responses'] extends Record<
    Status,
    { content: { 'application/json': infer Body } }
  >
    ? Body
    : never

type RequestBody<Operation extends keyof operations> = operations[Operation] extends {
  requestBody?: { content: { 'application/json': infer Body } }
}
  ? Body
  : never

export type Brief = RequestBody<'createPresentation'>
export type Presentation = Schemas['Presentation']
export type Status = Presentation['status']
export type ExportFormat = Presentation['export_as']
export type Problem = Schemas['Problem']
/** Codes of the gateway. A newer gateway may send others. */
export type ProblemCode = Problem['code']
export type Download = ResponseOf<'downloadPresentation', 200>
export type Outlines = ResponseOf<'readOutlines', 200>
export type ApprovedOutlines = RequestBody<'approveOutlines'>
export type Ticket = ResponseOf<'issueTicket', 200>
export type MakerLink = ResponseOf<'openInMaker', 200>
export type Template = ResponseOf<'listTemplates', 200>[number]
export type Usage = ResponseOf<'readUsage', 200>
export type Capabilities = ResponseOf<'readCapabilities', 200>
export type Slides = ResponseOf<'readSlides', 200>
export type Slide = Slides['slides'][number]
export type Source = ResponseOf<'uploadSources', 201>['items'][number]
export type Webhook = ResponseOf<'listWebhooks', 200>['items'][number]
export type NewWebhook = RequestBody<'createWebhook'>
export type CreatedWebhook = ResponseOf<'createWebhook', 201>

export type WebhookChanges = RequestBody<'updateWebhook'>
export type WebhookDelivery = ResponseOf<'listWebhookDeliveries', 200>['items'][number]
export type DeliveryStatus = WebhookDelivery['status']

/** One event of a presentation, with its number in the log. Narrow it by `type`. */
export type PresentationEvent = Schemas['Event'] & { id: number }

export type Notification = Schemas['Notification']
type RealtimeMessage = Schemas['RealtimeMessage']
type MessageOf<Type extends string> = Extract<RealtimeMessage, { type: Type }>
/** What a connection for notifications brings. Narrow it by `type`. */
export type NotificationMessage = MessageOf<
  | ('connected' | 'notification' | 'notification_read' | 'notifications_read')
  | ('notification_deleted' | 'resync')
>
/** The state of a presentation, or its end. Narrow it by `type`. */
export type JobMessage = MessageOf<'job_progress' | 'job_deleted'>

export interface CallOptions {
  /** Ends the call, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

export interface CreatingOptions extends CallOptions {
  /** The same key never makes two. Without one the client makes its own for the call. */
  idempotencyKey?: string | undefined
}
