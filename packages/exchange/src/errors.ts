import { TacitError, type TacitErrorOptions } from '@tacit/protocol'
import type { RefusalCode } from './messages.ts'

/** The worker said no; nothing was charged. */
export class RefusedError extends TacitError<'exchange.refused'> {
  readonly reason: RefusalCode
  constructor(reason: RefusalCode, message: string) {
    super('exchange.refused', `The worker refused: ${message}`, { details: [`reason: ${reason}`] })
    this.reason = reason
  }
}

/** The other side broke the protocol; the exchange stops and nothing more is paid. */
export class MisbehaviourError extends TacitError<'exchange.misbehaviour'> {
  constructor(what: string, options: TacitErrorOptions = {}) {
    super('exchange.misbehaviour', `The worker broke the protocol: ${what}. Nothing more was paid; at most one step is lost.`, options)
  }
}

/** A frame or stream position that no honest peer sends. */
export class StreamError extends TacitError<'exchange.stream'> {
  constructor(what: string) {
    super('exchange.stream', `The stream cannot go on: ${what}.`)
  }
}

/** The quote is not what the caller allowed. */
export class QuoteRejectedError extends TacitError<'exchange.quote-rejected'> {
  constructor(what: string) {
    super('exchange.quote-rejected', `The worker's quote was not accepted: ${what}.`)
  }
}
