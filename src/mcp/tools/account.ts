// Tools that read what the user may use: templates and quotas.

import Type from 'typebox'
import { templatesSchema } from '../../contract/template.ts'
import { usageSchema } from '../../contract/usage.ts'
import type { ListTemplates } from '../../templates/routes/list-templates.ts'
import type { ReadUsage } from '../../usage/routes/read-usage.ts'
import { usageView } from '../../usage/view.ts'
import { dataResult, defineTool, readOnly } from '../tool.ts'

export interface AccountTools extends ListTemplates, ReadUsage {}

export function accountTools({ listTemplates, readUsage }: AccountTools) {
  const input = Type.Object({}, { additionalProperties: false })
  return [
    defineTool({
      name: 'list_templates',
      title: 'List the templates',
      description: 'The looks that make_presentation takes as template.',
      annotations: readOnly,
      input,
      output: Type.Object({ templates: templatesSchema }),
      call: async (_input, { userId, signal }) =>
        dataResult({ templates: await listTemplates({ userId, signal }) }),
    }),
    defineTool({
      name: 'get_usage',
      title: 'Read the quotas',
      description: "How much of each of the user's quotas is used. A limit of null is none.",
      annotations: readOnly,
      input,
      output: Type.Object({ usage: usageSchema }),
      call: async (_input, { userId }) => dataResult({ usage: usageView(await readUsage(userId)) }),
    }),
  ]
}
