// GET /capabilities: what the connected version of the generator can do. Always 200.

import { capabilitiesExample, capabilitiesSchema } from '../../contract/capabilities.ts'
import type { App } from '../../http/base.ts'
import { jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { Presenton } from '../../presenton/client.ts'

export interface ReadCapabilities
  extends Pick<Presenton, 'readCapabilities' | 'knownCapabilities'> {
  /** Whether the slide maker is switched on. */
  hasMaker: boolean
}

/** For the question to a generator that was not asked before. */
const timeoutMs = 3_000

export function readCapabilitiesRoute(
  app: App,
  { readCapabilities, knownCapabilities, hasMaker }: ReadCapabilities,
) {
  const schema = {
    operationId: 'readCapabilities',
    tags: ['templates'],
    summary: 'Read what the generator can do',
    description: 'What is not known yet is null, for example while the generator is away.',
    response: {
      200: jsonResponse(capabilitiesSchema, {
        description: 'What the connected version can do.',
        example: capabilitiesExample,
      }),
      ...problemResponses(),
    },
  }

  app.get('/capabilities', { schema }, async () => {
    const signal = AbortSignal.timeout(timeoutMs)
    const found = await readCapabilities({ signal }).catch(knownCapabilities)
    return {
      shape: found?.shape ?? null,
      edit: found?.edit ?? null,
      maker: hasMaker ? (found?.maker ?? null) : false,
      slide_content: found?.slideContent ?? null,
      sources: found?.sources ?? null,
    }
  })
}
