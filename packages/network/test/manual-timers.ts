import type { Timers } from '../src/index.ts'

/** Time that passes only when a test says so. */
export function manualTimers(): Timers & { advance(ms: number): void } {
  let nowMs = 0
  const waiting = new Set<{ readonly dueMs: number; readonly callback: () => void }>()
  return {
    now: () => nowMs,
    after(delayMs, callback) {
      const entry = { dueMs: nowMs + delayMs, callback }
      waiting.add(entry)
      return () => void waiting.delete(entry)
    },
    advance(ms) {
      const endMs = nowMs + ms
      for (;;) {
        const [next] = [...waiting].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)
        if (next === undefined) break
        nowMs = Math.max(nowMs, next.dueMs)
        waiting.delete(next)
        next.callback()
      }
      nowMs = endMs
    },
  }
}
