/** Upstream may or may not have stored a change or a save. The cause says what went wrong. */
export class UnknownOutcome extends Error {
  constructor(cause: unknown) {
    super('Whether the deck has changed is not known.', { cause })
  }
}
