// Events as types, as an OpenAPI schema and as lines of the log, all derived from event-kinds.ts.

import Type, { type Static, type TObject, type TObjectOptions, type TSchema } from 'typebox'
import { type EventKindDefinition, eventKinds } from './event-kinds.ts'
import { oneOf } from './member-schemas.ts'
import { type Stage, stages } from './stages.ts'

type Kinds = typeof eventKinds

export type EventKind = keyof Kinds

/** The kinds that are in the log. */
export type LoggedKind = Exclude<EventKind, 'resync'>

/** The members of a kind beside `type`, `run` and `stage`, as a subscriber gets them. */
export type EventMembers<K extends EventKind> = Static<TObject<Kinds[K]['members']>>

/** The same as the log holds them: what is made for each subscriber is not in it. */
export type LoggedMembers<K extends LoggedKind> = K extends 'complete'
  ? Omit<EventMembers<'complete'>, 'download'>
  : EventMembers<K>

/** An event as a subscriber gets it. Narrow it by `type`. */
export type PresentationEvent = {
  [K in EventKind]: { type: K; run?: number; stage?: Stage } & EventMembers<K>
}[EventKind]

const definitions: Record<EventKind, EventKindDefinition> = eventKinds
const kindNames = Object.keys(eventKinds) as EventKind[]

/** The kinds that only the gateway makes; upstream messages with these names are not forwarded. */
export const gatewayKinds: ReadonlySet<string> = new Set(
  kindNames.filter((kind) => definitions[kind].source === 'gateway'),
)

export function isTerminalKind(kind: string): boolean {
  return Object.hasOwn(definitions, kind) && definitions[kind as EventKind].isTerminal === true
}

function schemaOf(kind: EventKind): TSchema {
  const { description, members, isUnlogged, isOpen } = definitions[kind]
  const place = {
    run: kind === 'status' ? Type.Optional(Type.Integer()) : Type.Integer({ minimum: 1 }),
    stage: Type.Optional(oneOf(stages)),
  }
  const own = { type: Type.Literal(kind), ...members }
  const options: TObjectOptions = { title: `${kind} event`, description }
  if (isOpen) options.additionalProperties = true
  return Type.Object(isUnlogged ? own : { ...own, ...place }, options)
}

/** The union of all kinds, for OpenAPI. Kinds of a newer upstream may come besides. */
export const eventSchema = Type.Unsafe<PresentationEvent>({
  $id: 'Event',
  title: 'Event',
  description:
    'The data of one event. Further kinds may come from a newer Presenton: ignore those you do not know.',
  anyOf: kindNames.map(schemaOf),
  examples: kindNames.map((kind) => definitions[kind].example),
})

/** An event in the stream's own format: its fields are texts, and `data` is the event in JSON. */
export const streamedEventSchema = {
  type: 'object',
  title: 'StreamedEvent',
  properties: {
    id: { type: 'string', pattern: '^[0-9]+$', description: 'The number of an event of the log.' },
    event: { type: 'string', const: 'response' },
    data: {
      type: 'string',
      contentMediaType: 'application/json',
      contentSchema: { $ref: 'Event#' },
    },
  },
  required: ['event', 'data'],
}

/** One event of each kind in that format, as OpenAPI names examples. */
export const streamedEventExamples: Record<string, { value: object }> = Object.fromEntries(
  kindNames.map((kind, i) => [
    kind,
    {
      value: {
        id: String(i + 1),
        event: 'response',
        data: JSON.stringify(definitions[kind].example),
      },
    },
  ]),
)

/** Where an event belongs. */
export interface EventPlace {
  run: number
  stage?: Stage | undefined
}

/** One event as the log holds it. */
export interface EncodedEvent {
  kind: string
  /** One line of JSON. */
  data: string
  isTerminal: boolean
}

/** Encodes an event of the gateway for the log. */
export function encodeEvent<K extends LoggedKind>(
  kind: K,
  members: LoggedMembers<K>,
  place: EventPlace,
): EncodedEvent {
  return encode(kind, members, place)
}

/** Encodes an event of upstream, which may be of a kind that is not known here. */
export function encodeUpstreamEvent(
  kind: string,
  members: Record<string, unknown>,
  place: EventPlace,
): EncodedEvent {
  return encode(kind, members, place)
}

function encode(type: string, members: object, { run, stage }: EventPlace): EncodedEvent {
  const event = stage === undefined ? { type, ...members, run } : { type, ...members, run, stage }
  // Upstream may name a kind as it likes, but Postgres stores no NUL in a text.
  const kind = type.replaceAll('\0', '')
  return { kind, data: JSON.stringify(event), isTerminal: isTerminalKind(kind) }
}
