import { createRing, type Ring } from '../internal/ring.ts'
import { getParameters, type ParameterSetName } from '../parameters.ts'

// Set by the static block below: only this package reaches the ring behind a context.
let ringBehind: (context: CkksContext) => Ring

/** Working memory, tables and kernels for one parameter set. */
export class CkksContext {
  readonly parameters: ParameterSetName
  readonly #ring: Ring
  static {
    ringBehind = (context) => context.#ring
  }
  /** @throws UnknownParametersError */
  constructor(parameters: ParameterSetName) {
    this.parameters = parameters
    this.#ring = createRing(getParameters(parameters))
  }
  /** Complex numbers per plaintext: N/2. */
  get slots(): number {
    return this.#ring.slots
  }
  /** Primes of a fresh ciphertext. */
  get levels(): number {
    return this.#ring.levels
  }
}

/** The ring of a context. */
export function ringOf(context: CkksContext): Ring {
  return ringBehind(context)
}
