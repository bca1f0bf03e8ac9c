// What a ticket can open. A ticket of one purpose never opens another.

export const ticketPurposes = ['events', 'realtime', 'maker'] as const
export type TicketPurpose = (typeof ticketPurposes)[number]

/**
 * Tickets of these purposes open one presentation each, the others every route of their purpose.
 */
export const presentationPurposes: ReadonlySet<TicketPurpose> = new Set<TicketPurpose>(['events'])

/** How long a ticket can be used. */
export const ticketSeconds = 60
