// Forwards messages of upstream to readers as they are, with the run and the stage added.

import { gatewayKinds } from '../contract/events.ts'
import type { ExtraStatement } from '../database/run-write.ts'
import type { Message } from '../presenton/messages.ts'
import { redactUpstreamText } from '../presenton/redact.ts'
import type { Context } from './context.ts'

/** `extraStatements` belong to what the message shows. Kinds of the gateway are not forwarded. */
export async function forwardMessage(
  context: Context,
  { type, value }: Message,
  extraStatements: ExtraStatement[] = [],
): Promise<void> {
  if (gatewayKinds.has(type)) {
    context.logger.warn({ kind: type }, 'dropped an upstream message with a kind of the gateway')
    return
  }
  const { type: _, ...given } = value
  const members = type === 'status' ? redactStatus(given) : given
  await context.append({ events: [context.upstreamEvent(type, members)], extraStatements })
}

/** A status is free text of upstream, in every member at any depth. */
function redactStatus(members: Record<string, unknown>): Record<string, unknown> {
  const text = JSON.stringify({ ...members, status: String(members.status ?? '') })
  return JSON.parse(text, (_name, value: unknown) =>
    typeof value === 'string' ? redactUpstreamText(value) : value,
  )
}
