// What callers ask about templates, in the words of the connected version.

import type { CallOptions, UpstreamAccount } from './account.ts'
import type { PerformOperation } from './operation.ts'
import type { Template } from './template-responses.ts'
import type { createTemplates } from './templates.ts'

export function createTemplateCalls(
  perform: PerformOperation,
  templates: ReturnType<typeof createTemplates>,
) {
  return {
    listTemplates: (call: CallOptions): Promise<Template[]> =>
      perform({ operation: 'templates', signal: call.signal }, (features) =>
        templates.list({ ...call, features }),
      ),

    /** The ids in the list that callers have seen, however old. Sends nothing. */
    knownTemplates: (account: UpstreamAccount): ReadonlySet<string> | undefined =>
      templates.knownIds(account),

    /** `trustsAssumed`: the groups that 0.7.3 is assumed to have are not asked for. */
    hasTemplate: (
      call: CallOptions & { templateId: string; trustsAssumed?: boolean },
    ): Promise<boolean> =>
      perform({ operation: 'templates', signal: call.signal }, (features) =>
        templates.has({ ...call, features }),
      ),
  }
}
