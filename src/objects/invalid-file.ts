// Why a file is refused. These errors don't say who sent it, an export of upstream or a user: the
// caller knows that and turns them into a Problem.

/** The file is not what it claims to be, or breaks a limit. */
export class InvalidFile extends Error {
  /** Continues "The file …". */
  readonly reason: string

  constructor(reason: string) {
    super(`The file ${reason}.`)
    this.name = 'InvalidFile'
    this.reason = reason
  }
}

/** The source of the file sent nothing for too long. */
export class SourceTimeout extends Error {
  constructor(idleMs: number) {
    super(`The source of the file sent nothing for ${idleMs} ms.`)
    this.name = 'SourceTimeout'
  }
}

/** Throws InvalidFile; an expression, for use after `??` and `:`. */
export function refuseFile(reason: string): never {
  throw new InvalidFile(reason)
}
