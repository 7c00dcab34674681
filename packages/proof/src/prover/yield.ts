// Lets other work run between the stages of a proof, in any JavaScript host.

/** Waits for one turn of the event loop. @throws the signal's reason when it is aborted. */
export async function yieldToOthers(signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })
  signal?.throwIfAborted()
}
