// The links of the OpenAPI document: from each response that holds the id of a presentation to
// every route that takes one. They follow from the paths, so a new route has its links at once.

export interface Link {
  operationId: string
  description?: string
  parameters: Record<string, string>
}

interface LinkedOperation {
  operationId: string
  summary?: string
}

type Paths = Record<string, Record<string, LinkedOperation>>

/** A page may be empty, so a list links to its next page only. */
const idExpression = '$response.body#/id'

/** Links that hand on more than an id. */
const furtherLinks: Record<string, Record<string, Link>> = {
  issueTicket: {
    followEventsWithTicket: {
      operationId: 'followEvents',
      description: 'Open the event stream with the ticket.',
      parameters: { id: '$request.path.id', ticket: '$response.body#/ticket' },
    },
  },
  listPresentations: {
    nextPage: {
      operationId: 'listPresentations',
      description: 'Read the next page.',
      parameters: { cursor: '$response.body#/next_cursor' },
    },
  },
  readOutlines: {
    approveOutlines: {
      operationId: 'approveOutlines',
      description: 'Approve or replace the outlines.',
      parameters: { id: '$request.path.id' },
    },
  },
}

/** The links of an operation's successful response, whose body has the component's schema. */
export function linksOf(
  operationId: string,
  component: string | undefined,
  paths: Paths,
): Record<string, Link> {
  const byId = component === 'Presentation' ? operationsById(paths).map(toLink) : []
  return { ...Object.fromEntries(byId), ...furtherLinks[operationId] }
}

function operationsById(paths: Paths): LinkedOperation[] {
  return Object.entries(paths)
    .filter(([path]) => /\/presentations\/\{id\}(\/[^{]*)?$/.test(path))
    .flatMap(([, methods]) => Object.values(methods))
}

function toLink({ operationId, summary }: LinkedOperation): [string, Link] {
  const description = summary && { description: `${summary}.` }
  return [operationId, { operationId, ...description, parameters: { id: idExpression } }]
}
