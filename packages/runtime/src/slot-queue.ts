import { EngineBusyError } from './errors.ts'

/** A fixed number of slots with a bounded first-in-first-out queue before them. */
export type SlotQueue = {
  readonly running: number
  readonly queued: number
  /**
   * Waits for a slot; calling the result gives it back, once.
   * @throws EngineBusyError at once when the queue is full. Rejects with `signal.reason` when aborted while waiting.
   */
  acquire(signal?: AbortSignal): Promise<() => void>
}

/** @example const release = await slotQueue({ slots: 1, queueLimit: 8 }).acquire() */
export function slotQueue({ slots, queueLimit }: { readonly slots: number; readonly queueLimit: number }): SlotQueue {
  const waiting: Array<() => void> = []
  let running = 0
  const slot = (): (() => void) => {
    let held = true
    return () => {
      if (!held) return
      held = false
      const next = waiting.shift()
      // The slot passes straight to the next in line, so nobody can slip in between.
      if (next) next()
      else running--
    }
  }
  return {
    get running() {
      return running
    },
    get queued() {
      return waiting.length
    },
    async acquire(signal) {
      signal?.throwIfAborted()
      if (running < slots) {
        running++
        return slot()
      }
      if (waiting.length >= queueLimit) throw new EngineBusyError({ queueLimit })
      await new Promise<void>((resolve, reject) => {
        const turn = (): void => {
          signal?.removeEventListener('abort', leave)
          resolve()
        }
        const leave = (): void => {
          waiting.splice(waiting.indexOf(turn), 1)
          reject(signal?.reason)
        }
        waiting.push(turn)
        signal?.addEventListener('abort', leave, { once: true })
      })
      return slot()
    },
  }
}
