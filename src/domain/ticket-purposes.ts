// What a ticket can open. A ticket of one purpose never opens another.

export const ticketPurposes = ['events'] as const
export type TicketPurpose = (typeof ticketPurposes)[number]
