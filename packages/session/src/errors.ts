import { TacitError } from '@tacit/protocol'

/** The base of everything that `@tacit/session` throws. */
export abstract class SessionError<Code extends `session.${string}` = `session.${string}`> extends TacitError<Code> {}

/** The prekey's window does not contain the given time, or is longer than a day. */
export class PrekeyExpiredError extends SessionError<'session.prekey-expired'> {
  constructor(reason: string) {
    super('session.prekey-expired', `The worker's prekey cannot be used now: ${reason}.`, {
      details: ['Fetch the current prekey of this worker, or choose another worker.'],
    })
  }
}

/** A prekey record does not hold a public key of its suite. */
export class PrekeyInvalidError extends SessionError<'session.prekey-invalid'> {
  constructor(reason: string) {
    super('session.prekey-invalid', `The prekey is not one: ${reason}.`)
  }
}

/** The secret half of a prekey was erased; nothing encapsulated to it can be opened again. */
export class PrekeyErasedError extends SessionError<'session.prekey-erased'> {
  constructor() {
    super('session.prekey-erased', 'The secret of this prekey has been erased.', { details: ['Open a session to the current prekey.'] })
  }
}

/** What arrived does not open a session to this prekey with this info. Says nothing about whose fault it is. */
export class EncapsulationRejectedError extends SessionError<'session.encapsulation-rejected'> {
  constructor() {
    super('session.encapsulation-rejected', 'The encapsulated key does not open a session here.', {
      details: ['It was made for another prekey, session, model, worker or chain, or was damaged on the way. Neither side is to blame.'],
    })
  }
}

/** A session was erased and derives no more keys. */
export class SessionErasedError extends SessionError<'session.erased'> {
  constructor() {
    super('session.erased', 'The keys of this session have been erased.', { details: ['Open a new session.'] })
  }
}

/** The injected randomness returned something other than the bytes asked for. */
export class RandomSourceError extends SessionError<'session.random-source'> {
  constructor({ wanted, received }: { readonly wanted: number; readonly received: number }) {
    super('session.random-source', `The random source returned ${received} bytes instead of ${wanted}.`)
  }
}

/** This attempt of this job has been sealed (or opened) in this session before. */
export class AttemptReusedError extends SessionError<'session.attempt-reused'> {
  constructor(attempt: number) {
    super('session.attempt-reused', `Attempt ${attempt} of this job was already used in this session.`, {
      details: ['Use the next attempt number; re-send stored ciphertext instead of sealing again.'],
    })
  }
}

/** A counter reached its end: chunks of a stream, or streams of a session. */
export class CounterExhaustedError extends SessionError<'session.counter-exhausted'> {
  constructor(what: 'chunks' | 'streams') {
    super('session.counter-exhausted', `No further ${what}: the counter is at its end.`, {
      details: [what === 'chunks' ? 'Start another attempt.' : 'Open a new session.'],
    })
  }
}

/** The stream has had its final chunk; nothing follows it. */
export class StreamFinishedError extends SessionError<'session.stream-finished'> {
  constructor() {
    super('session.stream-finished', 'The stream has had its final chunk.')
  }
}

/** The stream stopped before its final chunk: what was read so far is not the whole message. */
export class StreamTruncatedError extends SessionError<'session.stream-truncated'> {
  readonly receivedChunks: number
  constructor({ receivedChunks }: { readonly receivedChunks: number }) {
    super('session.stream-truncated', `The stream ended after ${receivedChunks} chunks without its final chunk.`, {
      details: ['Resume from the next chunk, or treat the answer as incomplete.'],
    })
    this.receivedChunks = receivedChunks
  }
}

/** A chunk has no valid form: too short, too long, or an unknown marker. */
export class ChunkMalformedError extends SessionError<'session.chunk-malformed'> {
  constructor(reason: string) {
    super('session.chunk-malformed', `The chunk ${reason}.`)
  }
}

/** A chunk that was opened before came again. */
export class ChunkReplayedError extends SessionError<'session.chunk-replayed'> {
  readonly counter: number
  readonly expected: number
  constructor({ counter, expected }: { readonly counter: number; readonly expected: number }) {
    super('session.chunk-replayed', `Chunk ${counter} came again; chunk ${expected} is next.`)
    this.counter = counter
    this.expected = expected
  }
}

/** A chunk came before its turn: one before it is missing. */
export class ChunkOutOfOrderError extends SessionError<'session.chunk-out-of-order'> {
  readonly counter: number
  readonly expected: number
  constructor({ counter, expected }: { readonly counter: number; readonly expected: number }) {
    super('session.chunk-out-of-order', `Chunk ${counter} came while chunk ${expected} is next.`)
    this.counter = counter
    this.expected = expected
  }
}

/** The first chunk does not open: it was sealed in another session, job, attempt or direction, or altered. */
export class WrongSessionError extends SessionError<'session.wrong-session'> {
  constructor() {
    super('session.wrong-session', 'The stream does not open under the keys of this session, job, attempt and direction.')
  }
}

/** A later chunk does not open: altered on the way, or taken from another stream. */
export class ChunkAlteredError extends SessionError<'session.chunk-altered'> {
  readonly counter: number
  constructor({ counter }: { readonly counter: number }) {
    super('session.chunk-altered', `Chunk ${counter} was altered, or belongs to another stream.`)
    this.counter = counter
  }
}

/** Decrypted cells do not have their form. */
export class CellMalformedError extends SessionError<'session.cell-malformed'> {
  constructor(reason: string) {
    super('session.cell-malformed', `The cell ${reason}.`)
  }
}

/** Pacing options, or the way they are used, make no sense. */
export class PacingInvalidError extends SessionError<'session.pacing-invalid'> {
  constructor(reason: string) {
    super('session.pacing-invalid', `The pacing cannot work: ${reason}.`)
  }
}

/** The last upstream slot came while messages were still waiting for one. */
export class UpstreamOverflowError extends SessionError<'session.upstream-overflow'> {
  readonly queuedBytes: number
  constructor({ queuedBytes }: { readonly queuedBytes: number }) {
    super('session.upstream-overflow', `The stream ends with ${queuedBytes} upstream bytes unsent.`, {
      details: ['Use larger cells, or one upstream cell per downstream cell.'],
    })
    this.queuedBytes = queuedBytes
  }
}
