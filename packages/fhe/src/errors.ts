import { TacitError } from '@tacit/protocol'

/** The base of every error of this package. */
export abstract class FheError<Code extends `fhe.${string}` = `fhe.${string}`> extends TacitError<Code> {}

/** A parameter set that is not one of the named ones. */
export class UnknownParametersError extends FheError<'fhe.unknown-parameters'> {
  constructor(name: string) {
    super('fhe.unknown-parameters', 'There is no encryption parameter set of that name.', { details: [`Asked for: ${name.slice(0, 64)}`] })
  }
}

/** Parameters outside the table that gives 128 bits of security. */
export class InsecureParametersError extends FheError<'fhe.insecure-parameters'> {
  constructor({ polyDegree, logModulus }: { readonly polyDegree: number; readonly logModulus: number }) {
    super('fhe.insecure-parameters', 'These encryption parameters are below 128 bits of security.', {
      details: [`Ring degree: ${polyDegree}`, `Bits of the largest modulus: ${logModulus.toFixed(1)}`],
    })
  }
}

/** Bytes or values that are not a ciphertext, key, plaintext or answer of this parameter set. */
export class MalformedEncryptionError extends FheError<'fhe.malformed'> {
  readonly what: string
  constructor(what: string, reason: string) {
    super('fhe.malformed', `${what} ${reason}.`)
    this.what = what
  }
}

/** Operands that do not fit together: level, scale or parts. */
export class IncompatibleOperandsError extends FheError<'fhe.incompatible-operands'> {
  constructor(reason: string) {
    super('fhe.incompatible-operands', `The operands do not fit together: ${reason}.`)
  }
}

/** An evaluation key that the operation needs was not in the key set. */
export class MissingKeyError extends FheError<'fhe.missing-key'> {
  constructor(what: string) {
    super('fhe.missing-key', `The key set lacks the key for ${what}.`)
  }
}

/** A source of randomness that gave too few bytes, or the same bytes twice. */
export class WeakRandomnessError extends FheError<'fhe.weak-randomness'> {
  constructor(reason: string) {
    super('fhe.weak-randomness', `The source of randomness cannot be trusted: ${reason}.`)
  }
}

/** No level is left to rescale into. */
export class NoiseExhaustedError extends FheError<'fhe.noise-exhausted'> {
  readonly remainingLevels: number
  constructor({ remainingLevels }: { readonly remainingLevels: number }) {
    super('fhe.noise-exhausted', 'The ciphertext has no level left for this operation.', {
      details: [`Levels left: ${remainingLevels}`],
    })
    this.remainingLevels = remainingLevels
  }
}

/** An input outside what the circuit was planned for. */
export class InputRangeError extends FheError<'fhe.input-range'> {
  constructor(reason: string) {
    super('fhe.input-range', `The input does not fit the encrypted model: ${reason}.`)
  }
}

/** A circuit that cannot be evaluated under encryption; `layer` says where. */
export class UnsupportedCircuitError extends FheError<'fhe.unsupported-circuit'> {
  readonly layer: number
  constructor({ layer, reason, change }: { readonly layer: number; readonly reason: string; readonly change: string }) {
    super('fhe.unsupported-circuit', 'This network cannot be evaluated under encryption.', {
      details: [`Layer ${layer}: ${reason}`, `What to change: ${change}`],
    })
    this.layer = layer
  }
}

/** The secret was used up, destroyed or replaced. */
export class SecretDestroyedError extends FheError<'fhe.secret-destroyed'> {
  constructor() {
    super('fhe.secret-destroyed', 'This secret key was destroyed and cannot be used again.')
  }
}

/** As many answers that nobody re-executed were opened as one secret may serve. */
export class AnswerBudgetError extends FheError<'fhe.answer-budget'> {
  readonly limit: number
  constructor({ limit }: { readonly limit: number }) {
    super('fhe.answer-budget', 'This secret has opened as many unverified answers as is safe.', { details: [`Limit: ${limit}`] })
    this.limit = limit
  }
}

/** An answer that an honest worker cannot have sent; the secret it was for is destroyed. */
export class RefusedAnswerError extends FheError<'fhe.refused-answer'> {
  /** Wait this long before a new key set goes to that worker, if it ever does; never send the same request again. */
  readonly replaceAfterMs: number
  constructor({ replaceAfterMs }: { readonly replaceAfterMs: number }) {
    super('fhe.refused-answer', 'The answer was refused and the secret key it was for was destroyed.')
    this.replaceAfterMs = replaceAfterMs
  }
}

/** An answer or a confirmation without a valid signature over its statement. */
export class UnsignedAnswerError extends FheError<'fhe.unsigned-answer'> {
  constructor() {
    super('fhe.unsigned-answer', 'The answer is not signed by who should have signed it, so it is not decrypted.')
  }
}

/** A ticket for work done ahead that is unknown, used, or for another request. */
export class TicketError extends FheError<'fhe.ticket'> {
  constructor(reason: string) {
    super('fhe.ticket', `The ticket cannot be used: ${reason}.`)
  }
}
