// Upstream messages that readers get as they are, but for the run and the stage: every kind that is neither ours nor terminal.
import { ownKinds, terminalKinds } from '../domain/event.ts'
import type { Message } from '../presenton/client.ts'
import { redactUpstreamText } from '../presenton/redact.ts'
import type { Context } from './context.ts'

export async function passOn(context: Context, { type, value }: Message): Promise<void> {
  if (ownKinds.has(type) || terminalKinds.has(type)) {
    context.logger.warn({ kind: type }, 'dropped an upstream message that bears a name of ours')
    return
  }
  const { type: _, ...fields } = value
  if (type === 'status') fields.status = redactUpstreamText(String(fields.status ?? ''))
  await context.append([context.event(type, fields)])
}
