import { sha256 } from '@noble/hashes/sha2.js'
import { CircuitSession, type CircuitSessionOptions, type EncodedNetwork } from '@tacit/fhe'
import { equalBytes } from '@tacit/protocol'

/** SHA-256 of the ciphertext at one boundary between layers. It needs no key to compute or to check. */
export type BoundaryHash = { readonly boundary: string; readonly hash: Uint8Array }

/** What a worker keeps of one encrypted request: everything that somebody needs to find where two evaluations part. */
export type EncryptedEvaluation = {
  readonly response: Uint8Array<ArrayBuffer>
  /** Opened only to whoever re-executes: with it the mask over the response can be drawn again. */
  readonly maskSeed: Uint8Array
  readonly trace: readonly BoundaryHash[]
}

/** The result of comparing with somebody's trace: the same, or the first boundary that differs. */
export type ReexecutionResult =
  | { readonly equal: true }
  | { readonly equal: false; readonly firstDifference: string; readonly index: number }

type Hash = { update(bytes: Uint8Array): unknown; digest(): Uint8Array }
export type EncryptedEvaluatorOptions = CircuitSessionOptions & {
  /** A faster SHA-256 where the platform has one. */
  readonly createHash?: () => Hash
}

/**
 * The engine for encrypted models: one model, one client's evaluation keys, no secret. It evaluates layer by layer and keeps the hash of
 * the ciphertext at every boundary.
 */
export class EncryptedEvaluator {
  readonly #session: CircuitSession
  readonly #createHash: () => Hash

  /** @throws MalformedEncryptionError or MissingKeyError when the keys do not serve the model. */
  constructor(model: EncodedNetwork, keySet: Uint8Array, options: EncryptedEvaluatorOptions) {
    this.#session = new CircuitSession(model, keySet, options)
    this.#createHash = options.createHash ?? (() => sha256.create())
  }

  /** Works ahead on a request whose seed the client announced. */
  prepare(seed: Uint8Array): void {
    this.#session.prepare(seed)
  }

  /** Evaluates a request without a trace: the fastest path. */
  evaluate(request: Uint8Array): Omit<EncryptedEvaluation, 'trace'> {
    return this.#session.evaluate(request)
  }

  /** Evaluates a request and keeps the trace. */
  evaluateTraced(request: Uint8Array): EncryptedEvaluation {
    const { trace, observe } = this.#observeBoundaries()
    const { response, maskSeed } = this.#session.evaluate(request, { observe })
    return { response, maskSeed, trace: [...trace, this.#responseHash(response)] }
  }

  /** Evaluates somebody else's request again and says where, if anywhere, that evaluation went another way. No key is needed. */
  reexecute(request: Uint8Array, claimed: Pick<EncryptedEvaluation, 'maskSeed' | 'trace'>): ReexecutionResult {
    const { trace, observe } = this.#observeBoundaries()
    const response = this.#session.reevaluate(request, claimed.maskSeed, { observe })
    const own = [...trace, this.#responseHash(response)]
    for (const [index, { boundary, hash }] of own.entries()) {
      const other = claimed.trace[index]
      if (other === undefined || other.boundary !== boundary || !equalBytes(other.hash, hash))
        return { equal: false, firstDifference: boundary, index }
    }
    return claimed.trace.length === own.length ? { equal: true } : { equal: false, firstDifference: 'length', index: own.length }
  }

  #responseHash(response: Uint8Array): BoundaryHash {
    const hash = this.#createHash()
    hash.update(response)
    return { boundary: 'response', hash: Uint8Array.from(hash.digest()) }
  }

  #observeBoundaries() {
    const trace: BoundaryHash[] = []
    const observe = (boundary: string, parts: readonly (readonly Uint8Array[])[]): void => {
      const hash = this.#createHash()
      for (const limb of parts.flat()) hash.update(limb)
      trace.push({ boundary, hash: Uint8Array.from(hash.digest()) })
    }
    return { trace, observe }
  }
}
