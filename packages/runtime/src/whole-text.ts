// Tokens of byte-level vocabularies end inside UTF-8 sequences. What leaves an engine is whole characters only.

/** The replacement character: what an unfinished (or invalid) sequence decodes to. */
const REPLACEMENT = '\uFFFD'
/** UTF-8 spends at most four bytes, so at most four tokens, on one character. */
const longestSequence = 4
/** Some tokenizers add or strip a space at the start of a text; a little context before it keeps that in place. */
const contextTokens = 8

/** Turns a stream of tokens into whole characters. */
export type WholeText = {
  /** Text that became complete with this token; may be empty. */
  push(token: number): string
  /** What is left when no further token comes; unfinished sequences become U+FFFD. */
  end(): string
}

/** `decode` maps tokens to text as the tokenizer does, with U+FFFD for what is not valid UTF-8 on its own. */
export function wholeText(decode: (tokens: readonly number[]) => string): WholeText {
  let emitted: number[] = []
  let pending: number[] = []
  const take = (count: number): string => {
    const taken = pending.slice(0, count)
    const text = textAfter(decode, emitted, taken)
    emitted = [...emitted, ...taken].slice(-contextTokens)
    pending = pending.slice(count)
    return text
  }
  return {
    push(token) {
      pending.push(token)
      if (!textAfter(decode, emitted, pending).endsWith(REPLACEMENT)) return take(pending.length)
      // A character cannot still be unfinished after four tokens, so the oldest one is invalid by itself.
      return pending.length >= longestSequence ? take(1) : ''
    },
    end: () => (pending.length === 0 ? '' : take(pending.length)),
  }
}

function textAfter(decode: (tokens: readonly number[]) => string, before: readonly number[], tokens: readonly number[]): string {
  const prefix = before.length === 0 ? '' : decode(before)
  const text = decode([...before, ...tokens])
  return text.startsWith(prefix) ? text.slice(prefix.length) : decode(tokens)
}
