import { StreamError } from './errors.ts'

/**
 * The sealed chunks that one side of a stream has sent, in counter order, so that a broken channel is resumed by sending
 * the same ciphertext again: nothing is ever sealed twice.
 */
export class StreamLog {
  readonly #chunks: Uint8Array[] = []
  #final = false

  /** @throws StreamError after the final chunk. */
  append(chunk: Uint8Array, { final }: { readonly final: boolean }): void {
    if (this.#final) throw new StreamError('something was sealed after the final chunk')
    this.#chunks.push(chunk)
    this.#final = final
  }

  get length(): number {
    return this.#chunks.length
  }

  /** Whether the final chunk is among them. */
  get complete(): boolean {
    return this.#final
  }

  /** Everything from counter `next` on. @throws StreamError when that was never sent. */
  from(next: number): readonly Uint8Array[] {
    if (next > this.#chunks.length) throw new StreamError(`the other side asks to go on at chunk ${next} of ${this.#chunks.length}`)
    return this.#chunks.slice(next)
  }
}
