// What refused answers may cost: each tells a lying solver one bit, so they are counted before anything is sent, not after it came back.
import { RejectBudgetError } from './errors.ts'
import { untilAborted } from './internal/until-aborted.ts'

/** Answers that one intent, and one day, may see refused. */
export const rejectsPerIntent = 2
export const rejectsPerDay = 4

/** Leave to ask once. Whoever holds it says exactly once how the asking ended. */
export type AskingLeave = {
  /** The answer was true, or none came: nothing was told. */
  release(): void
  /** The answer was refused. Returns how many refusals are left. */
  refuse(): number
}

/**
 * Refusals of a client, over all its routers, card fetchers, versions and solvers: give the same one to each, or a new version of the directory
 * starts the count again. A query in flight counts as refused until it is known not to be, so that queries side by side cannot pass the limit.
 */
export class RejectBudget {
  #refusedToday = 0
  readonly #refused = new Map<string, number>()
  #inFlightToday = 0
  readonly #inFlight = new Map<string, number>()
  #waiting: (() => void)[] = []

  /** Starts a new day; the caller has the clock. Queries in flight keep their place. */
  newDay(): void {
    this.#refusedToday = 0
    this.#refused.clear()
    this.#wake()
  }

  /** @throws RejectBudgetError when nothing is left for this intent or day */
  assertLeft(name?: string): void {
    if (this.#left(name) <= 0) throw new RejectBudgetError()
  }

  /**
   * Waits until an asking may start; without a name only the day counts.
   * @throws RejectBudgetError as soon as nothing is left, the signal's reason when it is aborted
   */
  async acquire(name?: string, signal?: AbortSignal): Promise<AskingLeave> {
    for (;;) {
      signal?.throwIfAborted()
      this.assertLeft(name)
      const mine = name === undefined ? 0 : (this.#inFlight.get(name) ?? 0)
      if (this.#refusedToday + this.#inFlightToday < rejectsPerDay && this.#refusedOf(name) + mine < rejectsPerIntent) break
      await untilAborted(new Promise<void>((wake) => this.#waiting.push(wake)), signal)
    }
    this.#move(name, 1)
    let open = true
    const close = (): boolean => {
      const first = open
      if (open) this.#move(name, -1)
      open = false
      return first
    }
    return {
      release: () => {
        if (close()) this.#wake()
      },
      refuse: () => {
        if (close()) {
          this.#refusedToday += 1
          if (name !== undefined) this.#refused.set(name, this.#refusedOf(name) + 1)
          this.#wake()
        }
        return Math.max(0, this.#left(name))
      },
    }
  }

  #refusedOf(name: string | undefined): number {
    return name === undefined ? 0 : (this.#refused.get(name) ?? 0)
  }

  #left(name: string | undefined): number {
    return Math.min(rejectsPerIntent - this.#refusedOf(name), rejectsPerDay - this.#refusedToday)
  }

  // Queries in flight, of the day and of one intent.
  #move(name: string | undefined, step: 1 | -1): void {
    this.#inFlightToday += step
    if (name === undefined) return
    const count = (this.#inFlight.get(name) ?? 0) + step
    if (count === 0) this.#inFlight.delete(name)
    else this.#inFlight.set(name, count)
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }
}
