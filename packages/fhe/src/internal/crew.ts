import type { Crew } from './ring.ts'

/** Steps of one order at most: about sixty per hidden layer. */
const maximumSteps = 1024
/** Words per step: jobs claimed and jobs done, each with the order's tag above them, on a cache line of their own. */
const stepWords = 16
/** Tag of the order in which a job failed, and the number of helpers inside an order. */
const failedWord = maximumSteps * stepWords
const busyWord = failedWord + 1
/** Bytes of the board that a crew shares. */
export const crewBoardBytes: number = 4 * (failedWord + stepWords)

// A counter word is tag * 2^11 + count: at most 2,047 jobs per step, and tags that come again after a million orders.
const countBits = 11
const countMask = (1 << countBits) - 1
const tagMask = (1 << 20) - 1

/** Looks at a word before sleeping: about a tenth of a millisecond, less than it takes to sleep and be woken. */
const spins = 20_000

/** What a crew member throws when a job failed on another thread. */
export class CrewFailure extends Error {}

/** What a helper throws when the others are done with the order that it is at. */
export class OrderOver extends Error {}

/** A crew member that goes through the steps of one order after the other. */
export type CrewMember = Crew & {
  /** Before the steps of an order, with its number. */
  readonly begin: (order: number) => void
  /** A helper, around what it does for an order. */
  readonly enter: () => void
  readonly leave: () => void
  /** The first thread, after an error: nobody works on this order any more when it returns. */
  readonly abandon: () => void
}

/**
 * A crew member over shared memory. All members run the same program; at every step each claims jobs until none is left and goes on when
 * all are done. So a member that the system gave no core to is not waited for, in a step or between orders: it finds its steps finished
 * or its order over, and the others did its share. Counters carry the number of their order, so nobody has to clear them.
 */
export function createCrewMember(board: SharedArrayBuffer, index: number, count: number): CrewMember {
  const words = new Int32Array(board)
  let [step, tag] = [0, 0]
  const next = (): number => {
    if (step >= maximumSteps) throw new RangeError('too many steps in one order')
    return step++ * stepWords
  }
  // The count of a word for this order: 0 where the word still belongs to an earlier one. A word of a later order ends this one.
  const countOf = (word: number): number => {
    if (word >>> countBits === tag) return word & countMask
    if (isLater(word >>> countBits, tag)) throw new OrderOver('this order is over')
    return 0
  }
  /** Adds one, if the count is below the limit; the count before, or the limit. */
  const increase = (at: number, limit: number): number => {
    for (;;) {
      const word = Atomics.load(words, at)
      const before = countOf(word)
      if (before >= limit) return limit
      if (Atomics.compareExchange(words, at, word, (tag << countBits) | (before + 1) | 0) === word) return before
    }
  }
  const finish = (line: number, jobs: number): void => {
    if (increase(line + 1, jobs) + 1 >= jobs) Atomics.notify(words, line + 1)
  }
  const assertGoing = (): void => {
    if (Atomics.load(words, failedWord) === tag) throw new CrewFailure('a job of this order failed')
  }
  const wait = (line: number, jobs: number): void => {
    for (let i = 0; i < spins; i++) if (countOf(Atomics.load(words, line + 1)) >= jobs) return
    for (;;) {
      const word = Atomics.load(words, line + 1)
      if (countOf(word) >= jobs) return
      assertGoing()
      Atomics.wait(words, line + 1, word, 1)
    }
  }
  return {
    index,
    count,
    begin: (order) => {
      // Tags start at 1: a fresh board belongs to no order.
      ;[step, tag] = [0, (order % tagMask) + 1]
    },
    enter: () => void Atomics.add(words, busyWord, 1),
    leave: () => {
      Atomics.sub(words, busyWord, 1)
      Atomics.notify(words, busyWord)
    },
    abandon: () => {
      // A helper that enters after this was stored finds it before its first job.
      Atomics.store(words, failedWord, tag)
      // Bounded: a helper that was terminated inside an order never leaves it.
      for (let i = 0; i < 5_000; i++) {
        const busy = Atomics.load(words, busyWord)
        if (busy <= 0) return
        Atomics.wait(words, busyWord, busy, 1)
      }
    },
    run: (jobs, job) => {
      const line = next()
      assertGoing()
      for (let i = increase(line, jobs); i < jobs; i = increase(line, jobs)) {
        try {
          job(i)
        } catch (error) {
          Atomics.store(words, failedWord, tag)
          throw error
        } finally {
          finish(line, jobs)
        }
      }
      wait(line, jobs)
      assertGoing()
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

/** Whether one tag comes after another, on the circle of tags. */
function isLater(a: number, b: number): boolean {
  if (a === 0) return false
  const ahead = (a - b) & tagMask
  return ahead !== 0 && ahead < tagMask / 2
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
