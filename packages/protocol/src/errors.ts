import { TacitError } from './error.ts'

/** Something untrusted (wire, file, chain) does not have its one canonical form. */
export class MalformedError extends TacitError<'protocol.malformed'> {
  readonly what: string
  constructor(what: string, reason: string) {
    super('protocol.malformed', `${what} ${reason}.`)
    this.what = what
  }
}
