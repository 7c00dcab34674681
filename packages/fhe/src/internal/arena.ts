const pageBytes = 65536
const alignment = 64

/** Hands out stretches of one WebAssembly memory, last in, first out. */
export class Arena {
  readonly memory: WebAssembly.Memory
  #top: number
  #words: Uint32Array<ArrayBuffer>
  #bytes: Uint8Array<ArrayBuffer>

  constructor(memory: WebAssembly.Memory, top = pageBytes) {
    this.memory = memory
    this.#top = top
    this.#words = new Uint32Array(memory.buffer)
    this.#bytes = new Uint8Array(memory.buffer)
  }

  /** All of memory as words; not to be kept across an allocation, which may move it. */
  get words(): Uint32Array<ArrayBuffer> {
    if (this.#words.buffer !== this.memory.buffer) this.#words = new Uint32Array(this.memory.buffer)
    return this.#words
  }

  /** All of memory as bytes; not to be kept across an allocation, which may move it. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes.buffer !== this.memory.buffer) this.#bytes = new Uint8Array(this.memory.buffer)
    return this.#bytes
  }

  /** Where the next allocation begins; give it to {@link release} to free everything allocated since. */
  get top(): number {
    return this.#top
  }

  allocate(sizeBytes: number): number {
    const start = this.#top
    this.#top = start + Math.ceil(sizeBytes / alignment) * alignment
    const missing = this.#top - this.memory.buffer.byteLength
    if (missing > 0) this.memory.grow(Math.ceil(missing / pageBytes))
    return start
  }

  /** Frees everything allocated since `mark` and leaves it as it is: for ciphertexts and other public data. */
  rewind(mark: number): void {
    this.#top = mark
  }

  /** Frees and clears everything allocated since `mark`, so that nothing secret stays behind. */
  release(mark: number): void {
    this.bytes.fill(0, mark, this.#top)
    this.#top = mark
  }
}
