import { Worker } from 'node:worker_threads'
import type { EncodedNetwork } from '../circuit/encoded-network.ts'
import { finishRequest, type PreparedRequest, prepareRequest } from '../circuit/evaluate.ts'
import { allocatePrepared, type RequestRunner } from '../circuit/runner.ts'
import { layOutSession } from '../circuit/session-layout.ts'
import type { EvaluationKeys } from '../ckks/evaluation-keys.ts'
import { unpackFirstPart } from '../ckks/seeded-ciphertext.ts'
import { at, range } from '../internal/at.ts'
import { CrewFailure, createCrewMember, crewBoardBytes } from '../internal/crew.ts'
import { createSharedRing, type Ring, ringLayout } from '../internal/ring.ts'
import { getParameters } from '../parameters.ts'
import { boardOffsets, boardWords, type CrewMessage, orderKinds } from './crew-message.ts'

/** A runner on several threads. Its bytes are those of one thread. */
export type CrewRunner = AsyncDisposable & {
  /** For {@link CircuitSessionOptions.createRunner}; once. */
  readonly createRunner: (encoded: EncodedNetwork, keys: EvaluationKeys, slots: number) => RequestRunner
  /** Resolves when all helper threads wait for orders; until then the first evaluation waits for them. */
  ready(): Promise<void>
}

/** Pages of shared memory per ring degree: tables, one session and its tickets. They are reserved, not touched. */
const pagesFor = (polyDegree: number): number => (polyDegree === 8192 ? 2048 : 12_288)

/**
 * Prepares to evaluate on `threads` threads of this process, this one included.
 * @example
 * await using crew = createCrew(2)
 * const session = new CircuitSession(encoded, keySet, { random, createRunner: crew.createRunner })
 * await crew.ready()
 */
export function createCrew(threads: number): CrewRunner {
  const helpers: Worker[] = []
  const started: Promise<void>[] = []
  let order: ((kind: number, slot: number) => void) | undefined
  return {
    createRunner: (encoded, keys, slots) => {
      const crew = startCrew(encoded, keys, slots, threads, (helper) => {
        helpers.push(helper)
        const ready = new Promise<void>((resolve, reject) => helper.once('message', () => resolve()).once('error', reject))
        // Once it waits for orders a helper no longer keeps the process alive.
        started.push(ready.finally(() => helper.unref()))
      })
      order = crew.order
      return crew.runner
    },
    ready: async () => {
      await Promise.all(started)
    },
    [Symbol.asyncDispose]: async () => {
      order?.(orderKinds.stop, 0)
      await Promise.all(helpers.map((helper) => helper.terminate()))
    },
  }
}

function startCrew(encoded: EncodedNetwork, keys: EvaluationKeys, slots: number, threads: number, add: (helper: Worker) => void) {
  const parameters = getParameters(encoded.plan.parameters)
  const alone = createSharedRing(parameters, threads, pagesFor(parameters.polyDegree))
  const session = layOutSession(alone, encoded, keys)
  const prepared: readonly PreparedRequest[] = range(slots).map(() => allocatePrepared(alone))
  const board = new SharedArrayBuffer(boardOffsets.request + encoded.plan.sizes.requestBytes)
  const steps = new SharedArrayBuffer(crewBoardBytes)
  const [words, bytes] = [new Int32Array(board), new Uint8Array(board)]
  const { memory } = alone.arena
  for (const index of range(threads).slice(1)) {
    const workerData: CrewMessage = { memory, layout: ringLayout(alone), session, slots: prepared, board, steps, index, count: threads }
    const file = import.meta.url.endsWith('.ts') ? './crew-worker.ts' : './crew-worker.js'
    const helper = new Worker(new URL(file, import.meta.url), { workerData })
    add(helper)
  }
  const member = createCrewMember(steps, 0, threads)
  const ring: Ring = { ...alone, crew: member }
  let number = 0
  const order = (kind: number, slot: number, set: () => void = () => undefined): void => {
    number++
    // Odd while it is written: a helper that reads meanwhile reads again.
    Atomics.store(words, boardWords.order, 2 * number - 1)
    words[boardWords.kind] = kind
    words[boardWords.slot] = slot
    set()
    member.begin(number)
    Atomics.store(words, boardWords.order, 2 * number)
    Atomics.notify(words, boardWords.order)
  }
  const guard = <T>(work: () => T): T => {
    try {
      return work()
    } catch (error) {
      member.abandon()
      throw error
    }
  }
  const runner: RequestRunner = {
    ring,
    slots,
    prepare: (slot, seed, maskSeed) => {
      order(orderKinds.prepare, slot, () => {
        bytes.set(seed, boardOffsets.seed)
        bytes.set(maskSeed, boardOffsets.maskSeed)
      })
      guard(() => prepareRequest(ring, session, seed, maskSeed, at(prepared, slot)))
    },
    finish: (slot, request, maskSeed, observe) => {
      order(orderKinds.finish, slot, () => {
        bytes.set(maskSeed, boardOffsets.maskSeed)
        bytes.set(request, boardOffsets.request)
        words[boardWords.size] = request.length
      })
      try {
        return guard(() => finishRequest(ring, session, request, maskSeed, at(prepared, slot), observe))
      } catch (error) {
        if (!(error instanceof CrewFailure)) throw error
        // A helper found it; found again here, it has its name.
        for (const t of range(encoded.plan.level)) unpackFirstPart(alone, request, t, at(alone.work.limbs, 0))
        throw error
      }
    },
  }
  return { runner, order: (kind: number, slot: number) => order(kind, slot) }
}
