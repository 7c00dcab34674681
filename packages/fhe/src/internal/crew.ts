import type { Crew } from './ring.ts'

/** Steps of one order at most: about sixty per hidden layer. */
const maximumSteps = 1024
/** Words per step: number of jobs claimed, number of jobs done, on a cache line of their own. */
const stepWords = 16
const failedWord = maximumSteps * stepWords
/** Bytes of the board that a crew shares. */
export const crewBoardBytes: number = 4 * (failedWord + stepWords)

/** Looks at a word before sleeping: some ten microseconds, the length of a small job. */
const spins = 2_000

/** What a crew member throws when a job failed, on whatever thread. */
export class CrewFailure extends Error {}

/** A crew member that goes through the steps of one order after the other. */
export type CrewMember = Crew & {
  /** Before an order: its steps are counted from 0. */
  readonly begin: () => void
}

/**
 * A crew member over shared memory. All members run the same program; at every step each claims jobs until none is left and goes on when
 * all are done. So a member that the system gave no core to is not waited for: it finds its steps finished and catches up, and the
 * others did its share. Self-scheduling: Tang, Yew, "Processor self-scheduling for multiple-nested parallel loops" (ICPP 1986; not checked).
 */
export function createCrewMember(board: SharedArrayBuffer, index: number, count: number): CrewMember {
  const words = new Int32Array(board)
  let step = 0
  const next = (): number => {
    if (step >= maximumSteps) throw new RangeError('too many steps in one order')
    return step++ * stepWords
  }
  const finish = (line: number, jobs: number): void => {
    if (Atomics.add(words, line + 1, 1) + 1 === jobs) Atomics.notify(words, line + 1)
  }
  const wait = (line: number, jobs: number): void => {
    for (let i = 0; i < spins; i++) if (Atomics.load(words, line + 1) >= jobs) return
    for (let done = Atomics.load(words, line + 1); done < jobs; done = Atomics.load(words, line + 1)) Atomics.wait(words, line + 1, done, 1)
  }
  const attempt = (job: () => void): void => {
    try {
      job()
    } catch (error) {
      Atomics.store(words, failedWord, 1)
      if (index === 0) throw error
    }
  }
  return {
    index,
    count,
    begin: () => {
      step = 0
    },
    run: (jobs, job) => {
      const line = next()
      for (let i = Atomics.add(words, line, 1); i < jobs; i = Atomics.add(words, line, 1)) {
        try {
          attempt(() => job(i))
        } finally {
          finish(line, jobs)
        }
      }
      wait(line, jobs)
      if (Atomics.load(words, failedWord) !== 0) throw new CrewFailure('a job of this step failed')
    },
    lead: (job) => {
      const line = next()
      if (index > 0) {
        wait(line, 1)
        return undefined
      }
      try {
        return job()
      } finally {
        finish(line, 1)
      }
    },
  }
}

/** Waits until a counter is not `last` any more: for a while by looking, since the second half of a request follows the first at once. */
export function nextOrder(words: Int32Array, index: number, last: number): number {
  for (let i = 0; i < 10 * spins; i++) {
    const order = Atomics.load(words, index)
    if (order !== last) return order
  }
  Atomics.wait(words, index, last)
  return Atomics.load(words, index)
}

/** Clears the board; no member may be in an order. */
export function clearBoard(board: SharedArrayBuffer): void {
  new Int32Array(board).fill(0)
}
