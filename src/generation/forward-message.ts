// Upstream messages that readers get as they are, but for the run and the stage: every kind that is
// neither ours nor terminal.

import { gatewayKinds } from '../contract/events.ts'
import type { ExtraStatement } from '../database/run-log.ts'
import type { Message } from '../presenton/messages.ts'
import { redactUpstreamText } from '../presenton/redact.ts'
import type { Context } from './context.ts'

/** `extraStatements` belong to what the message shows. */
export async function forwardMessage(
  context: Context,
  { type, value }: Message,
  extraStatements: ExtraStatement[] = [],
): Promise<void> {
  if (gatewayKinds.has(type)) {
    context.logger.warn({ kind: type }, 'dropped an upstream message that bears a name of ours')
    return
  }
  const { type: _, ...fields } = value
  // What else it may say is its own text as well.
  if (type === 'status') {
    for (const [name, text] of Object.entries(fields))
      if (typeof text === 'string') fields[name] = redactUpstreamText(text)
    fields.status = redactUpstreamText(String(value.status ?? ''))
  }
  await context.log.append({ events: [context.event(type, fields)], extraStatements })
}
