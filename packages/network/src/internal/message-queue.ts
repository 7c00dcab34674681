type Waiter = { readonly resolve: (result: IteratorResult<Uint8Array>) => void; readonly reject: (error: unknown) => void }

/** What arrived and was not read yet. One reader waits at a time. */
export class MessageQueue {
  #items: Uint8Array[] = []
  #waiter: Waiter | undefined
  #ended: { readonly error: unknown } | undefined

  get waiting(): boolean {
    return this.#waiter !== undefined
  }

  push(item: Uint8Array): void {
    if (this.#waiter === undefined) {
      this.#items.push(item)
      return
    }
    const { resolve } = this.#waiter
    this.#waiter = undefined
    resolve({ done: false, value: item })
  }

  /** No more items: readers finish, or fail with `error`, after what is queued. */
  end(error?: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = { error }
    const waiter = this.#waiter
    this.#waiter = undefined
    if (waiter !== undefined) finish(waiter, this.#ended)
  }

  /** The next item; rejects with the signal's reason when it aborts first. */
  next(signal: AbortSignal | undefined): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason)
      const item = this.#items.shift()
      if (item !== undefined) return resolve({ done: false, value: item })
      if (this.#ended !== undefined) return finish({ resolve, reject }, this.#ended)
      const abort = (): void => {
        this.#waiter = undefined
        reject(signal?.reason)
      }
      const settled = (): void => signal?.removeEventListener('abort', abort)
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiter = {
        resolve: (result) => {
          settled()
          resolve(result)
        },
        reject: (error) => {
          settled()
          reject(error)
        },
      }
    })
  }
}

function finish(waiter: Waiter, { error }: { readonly error: unknown }): void {
  if (error === undefined) waiter.resolve({ done: true, value: undefined })
  else waiter.reject(error)
}
