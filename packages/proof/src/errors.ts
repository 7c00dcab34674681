import { TacitError } from '@tacit/protocol'

/** A layer spec that no proof exists for: sizes that contradict each other, or bounds outside the argument. */
export class UnsupportedLayerError extends TacitError<'proof.unsupported-layer'> {
  constructor(reason: string) {
    super('proof.unsupported-layer', 'This layer cannot be proved.', { details: [reason] })
  }
}

/** The witness does not fit the statement; nothing was proved and no weight was touched. */
export class WitnessMismatchError extends TacitError<'proof.witness-mismatch'> {
  constructor(reason: string) {
    super('proof.witness-mismatch', 'The witness does not belong to this statement.', { details: [reason] })
  }
}

/** Randomness or an engine state that cannot be used safely. */
export class UnusableRandomnessError extends TacitError<'proof.unusable-randomness'> {
  constructor(reason: string) {
    super('proof.unusable-randomness', 'The random source cannot be used for a proof.', { details: [reason] })
  }
}
