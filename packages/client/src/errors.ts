import { TacitError, type TacitErrorOptions } from '@tacit/protocol'

/** A worker does not answer, or not in the protocol. */
export class WorkerUnreachableError extends TacitError<'client.worker-unreachable'> {
  constructor(worker: string, options: TacitErrorOptions = {}) {
    super('client.worker-unreachable', `The worker ${worker} could not be reached.`, options)
  }
}

/** The worker's prekey is missing, expired, or not signed by the worker. */
export class PrekeyRefusedError extends TacitError<'client.prekey-refused'> {
  constructor(worker: string, reason: string) {
    super('client.prekey-refused', `The prekey of worker ${worker} cannot be used: ${reason}.`)
  }
}

/** The connection broke and could not be resumed; what was delivered before is kept. */
export class StreamLostError extends TacitError<'client.stream-lost'> {
  constructor(reason: string, options: TacitErrorOptions = {}) {
    super(
      'client.stream-lost',
      `The connection to the worker was lost and could not be resumed: ${reason}. At most one step is lost.`,
      options,
    )
  }
}

/** The chain does not know the worker as registered and staked for this model, so nothing was sent to it. */
export class WorkerIneligibleError extends TacitError<'client.worker-ineligible'> {
  constructor(worker: string) {
    super('client.worker-ineligible', `The chain does not show ${worker} as registered, active and staked for this model.`)
  }
}

/** No worker can serve the request as it was asked. Nothing was lowered and nothing was charged. */
export class NoWorkerError extends TacitError<'client.no-worker'> {
  constructor(reason: string, options: TacitErrorOptions = {}) {
    super('client.no-worker', `No worker serves this request: ${reason}.`, options)
  }
}

/** The model's name or id is not in the registry. */
export class UnknownModelError extends TacitError<'client.unknown-model'> {
  constructor(name: string, known: readonly string[]) {
    super('client.unknown-model', `There is no model "${name}".`, { details: [`Models here: ${known.join(', ') || 'none'}`] })
  }
}

/** The pool holds too little for the request. */
export class PoolEmptyError extends TacitError<'client.pool-empty'> {
  constructor(needed: bigint, free: bigint) {
    super('client.pool-empty', 'The pool does not hold enough to pay for this request.', {
      details: [`needed: ${needed}`, `free: ${free}`, 'On a local network `tacit wallet fund` draws from the faucet.'],
    })
  }
}

/** The client's own data cannot be read. */
export class ClientDataCorruptError extends TacitError<'client.corrupt-data'> {
  constructor(path: string, options: TacitErrorOptions = {}) {
    super('client.corrupt-data', `The client's data in ${path} cannot be read.`, {
      ...options,
      details: ['Move the file away to go on. Locks it knew stay yours on chain; they come back after the unlock delay.'],
    })
  }
}
