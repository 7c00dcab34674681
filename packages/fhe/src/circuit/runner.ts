import type { EvaluationKeys } from '../ckks/evaluation-keys.ts'
import { range } from '../internal/at.ts'
import { allocateLimbs, createRing, type Ring, type RingLayout } from '../internal/ring.ts'
import { getParameters } from '../parameters.ts'
import type { EncodedNetwork } from './encoded-network.ts'
import { finishRequest, type PreparedRequest, prepareRequest, type TraceObserver } from './evaluate.ts'
import { layOutSession } from './session-layout.ts'

/** Carries out the two halves of evaluations, on one thread or several; slots hold what the first half leaves for the second. */
export type RequestRunner = {
  readonly ring: RingLayout
  readonly slots: number
  prepare(slot: number, seed: Uint8Array, maskSeed: Uint8Array): void
  finish(slot: number, request: Uint8Array, maskSeed: Uint8Array, observe?: TraceObserver): Uint8Array<ArrayBuffer>
}

/** A runner on this thread, with memory of its own. */
export function createLocalRunner(encoded: EncodedNetwork, keys: EvaluationKeys, slots: number): RequestRunner {
  const ring = createRing(getParameters(encoded.plan.parameters))
  const session = layOutSession(ring, encoded, keys)
  const prepared = range(slots).map(() => allocatePrepared(ring))
  const slotOf = (slot: number): PreparedRequest => {
    const found = prepared[slot]
    if (found === undefined) throw new RangeError(`slot ${slot}`)
    return found
  }
  return {
    ring,
    slots,
    prepare: (slot, seed, maskSeed) => prepareRequest(ring, session, seed, maskSeed, slotOf(slot)),
    finish: (slot, request, maskSeed, observe) => finishRequest(ring, session, request, maskSeed, slotOf(slot), observe),
  }
}

/** Space for one prepared request. */
export function allocatePrepared(ring: Ring): PreparedRequest {
  return {
    carried: allocateLimbs(ring),
    second: allocateLimbs(ring),
    mask: [allocateLimbs(ring), allocateLimbs(ring)],
    errors: [ring.arena.allocate(ring.coefficientBytes), ring.arena.allocate(ring.coefficientBytes)],
  }
}
