/** Passes text on until one of the stop strings appears; holds back only what could become one. */
export type StopText = {
  /** The text that may be shown now, and whether the answer ended. */
  push(text: string): { readonly text: string; readonly stopped: boolean }
  /** What was held back, when no further text comes. */
  end(): string
}

/** @example stopText(['\n\n']).push('one\n') // { text: 'one', stopped: false }, the newline is held back */
export function stopText(stops: readonly string[]): StopText {
  let held = ''
  return {
    push(text) {
      held += text
      const at = firstOccurrence(held, stops)
      if (at >= 0) {
        const before = held.slice(0, at)
        held = ''
        return { text: before, stopped: true }
      }
      const keep = Math.max(0, ...stops.map((stop) => overlap(held, stop)))
      const ready = held.slice(0, held.length - keep)
      held = held.slice(held.length - keep)
      return { text: ready, stopped: false }
    },
    end() {
      const rest = held
      held = ''
      return rest
    },
  }
}

function firstOccurrence(text: string, stops: readonly string[]): number {
  return stops.map((stop) => text.indexOf(stop)).reduce((first, at) => (at >= 0 && (first < 0 || at < first) ? at : first), -1)
}

/** Length of the longest proper prefix of `stop` that ends `text`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}
