import { TacitError } from '@tacit/protocol'

/** The base of every error of this package. */
export abstract class RoutingError<Code extends `routing.${string}` = `routing.${string}`> extends TacitError<Code> {}

/** Bytes that are not a query, answer, hint or row of this version and parameter set. */
export class MalformedRoutingError extends RoutingError<'routing.malformed'> {
  readonly what: string
  constructor(what: string, reason: string) {
    super('routing.malformed', `${what} ${reason}.`)
    this.what = what
  }
}

/** A capability or intent vector that breaks the rules of a directory. */
export class VectorRuleError extends RoutingError<'routing.vector-rule'> {
  constructor(reason: string) {
    super('routing.vector-rule', `The vector breaks a rule of the directory: ${reason}.`)
  }
}

/** A query for another version of the directory. */
export class DirectoryChangedError extends RoutingError<'routing.directory-changed'> {
  constructor() {
    super('routing.directory-changed', 'The directory changed since the query was made.')
  }
}

/** An answer whose scores are not those of the committed directory. */
export class ScoresRefusedError extends RoutingError<'routing.scores-refused'> {
  /** Rejects that are left for this intent; at 0 download the directory or stop. */
  readonly rejectsLeft: number
  constructor({ rejectsLeft }: { readonly rejectsLeft: number }) {
    super('routing.scores-refused', 'The solver did not answer with the scores of the committed directory.', {
      details: [`Rejects left for this intent: ${rejectsLeft}`],
    })
    this.rejectsLeft = rejectsLeft
  }
}

/** A query secret that was used before. */
export class QueryUsedError extends RoutingError<'routing.query-used'> {
  constructor() {
    super('routing.query-used', 'This query was decoded before; every query has a secret of its own.')
  }
}

/** More rejects than one intent or one day may have. */
export class RejectBudgetError extends RoutingError<'routing.reject-budget'> {
  constructor() {
    super('routing.reject-budget', 'Too many answers were refused; download the directory or stop.')
  }
}

/** Checkers that cannot check: fewer than two, or the solver itself. */
export class CheckersError extends RoutingError<'routing.checkers'> {
  constructor() {
    super('routing.checkers', 'Scores are checked by at least two other solvers than the one that answers, each of which signs its vector.')
  }
}

/** A solver's record that it did not sign, or that is for another version than the registry names. */
export class RecordRefusedError extends RoutingError<'routing.record-refused'> {
  constructor() {
    super('routing.record-refused', 'The solver does not stand for the committed version of the directory.')
  }
}
