import type { Channel, Dialer, Timers } from './transport.ts'
import { systemTimers } from './transport.ts'

/** How long to wait after `failures` failures in a row. */
export type BackOff = { readonly delayMs: (failures: number) => number }

/**
 * Doubles from `firstMs` to `longestMs`, and takes a random part of that, so that clients of a relay that came back do not come all at
 * once ("full jitter").
 */
export function createBackOff(options: { readonly firstMs: number; readonly longestMs: number; readonly random: () => number }): BackOff {
  const { firstMs, longestMs, random } = options
  return {
    delayMs: (failures) => {
      const ceilingMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30))
      return Math.round(firstMs / 2 + random() * (ceilingMs - firstMs / 2))
    },
  }
}

/** 200 ms to 15 s. Jitter needs no secrecy, hence Math.random. */
export const backOffDefaults: BackOff = createBackOff({ firstMs: 200, longestMs: 15_000, random: () => Math.random() })

/** Waits; false when the signal aborted first. */
export function pause(
  delayMs: number,
  { timers = systemTimers, signal }: { readonly timers?: Timers; readonly signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve(false)
    const abort = (): void => {
      cancel()
      resolve(false)
    }
    const cancel = timers.after(delayMs, () => {
      signal?.removeEventListener('abort', abort)
      resolve(true)
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

const worthRetrying = new Set([
  'network.unreachable',
  'network.connection-lost',
  'network.worker-not-connected',
  'network.timed-out',
  'network.limit-reached',
])

/**
 * Dials again, with back-off, while nobody answers. The last failure is thrown when `attempts` are used up.
 * @throws what the dialer threw last, or the reason of `signal`.
 */
export async function dialWithRetry(
  dialer: Dialer,
  address: string,
  options: {
    readonly attempts?: number
    readonly backOff?: BackOff
    readonly timers?: Timers
    readonly signal?: AbortSignal
    readonly onFailure?: (error: unknown, retryMs: number) => void
  } = {},
): Promise<Channel> {
  const { attempts = 6, backOff = backOffDefaults, timers = systemTimers, signal, onFailure } = options
  for (let failures = 0; ; failures++) {
    try {
      return await dialer.dial(address, signal === undefined ? {} : { signal })
    } catch (error) {
      signal?.throwIfAborted()
      const code = (error as { readonly code?: string }).code ?? ''
      if (failures + 1 >= attempts || !worthRetrying.has(code)) throw error
      const retryMs = backOff.delayMs(failures)
      onFailure?.(error, retryMs)
      if (!(await pause(retryMs, { timers, signal }))) signal?.throwIfAborted()
    }
  }
}
