// Lets other work run between the stages of a proof, in any JavaScript host.

/** Waits for one turn of the event loop. @throws the signal's reason when it is aborted. */
export async function yieldToOthers(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>(nextTurn)
  signal?.throwIfAborted()
}

// setImmediate costs microseconds where there is one; a message channel is what browsers have without their timers' delay.
function nextTurn(resolve: () => void): void {
  const { setImmediate } = globalThis as { readonly setImmediate?: (callback: () => void) => unknown } // absent in browsers
  if (setImmediate !== undefined) {
    setImmediate(resolve)
    return
  }
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    resolve()
  }
  port2.postMessage(0)
}
