// What runs inside the worker: this one function, sent there as text (`workerSource`), so that it needs no module loader, file
// or bundler and is the same in Node and in a browser. It must not use anything outside its own body but web globals.

/** A value's place in the module's memory. */
export type WorkerTensor = { readonly offset: number; readonly sizeBytes: number }

/** What the worker is started with. */
export type WorkerSetup = {
  readonly module: WebAssembly.Module
  readonly weights?: { readonly offset: number; readonly bytes: Uint8Array }
  readonly inputs: readonly WorkerTensor[]
  readonly outputs: readonly WorkerTensor[]
  readonly layers: readonly { readonly runExport: string; readonly traceExport: string; readonly boundary: WorkerTensor }[]
  readonly runExport: string
  readonly outputsExport: string
}

export type WorkerRequest =
  | { readonly kind: 'setup'; readonly setup: WorkerSetup }
  | { readonly kind: 'run'; readonly id: number; readonly inputs: readonly Uint8Array[]; readonly trace: 'none' | 'hashes' | 'activations' }

export type WorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly id: number; readonly detail: string }
  | {
      readonly kind: 'done'
      readonly id: number
      readonly outputs: readonly Uint8Array[]
      /** In execution order, when asked for. */
      readonly hashes: readonly Uint8Array[]
      readonly activations: readonly Uint8Array[]
    }

/** The channel to the main thread, as Node and browsers both have it. */
export type WorkerChannel = { receive(listener: (request: WorkerRequest) => void): void; reply(message: WorkerReply): void }

/** The worker's whole program. */
export function workerMain(channel: WorkerChannel): void {
  type Started = { readonly setup: WorkerSetup; readonly memory: Uint8Array; readonly call: (name: string) => void }
  let started: Started | undefined
  const start = (setup: WorkerSetup): Started => {
    const { exports } = new WebAssembly.Instance(setup.module)
    const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
    if (setup.weights) memory.set(setup.weights.bytes, setup.weights.offset)
    return { setup, memory, call: (name) => (exports[name] as () => void)() }
  }
  const run = async (request: Extract<WorkerRequest, { kind: 'run' }>): Promise<void> => {
    if (started === undefined) throw new Error('run before setup')
    const { setup, memory, call } = started
    const read = ({ offset, sizeBytes }: WorkerTensor): Uint8Array<ArrayBuffer> =>
      memory.slice(offset, offset + sizeBytes) as Uint8Array<ArrayBuffer>
    for (const [i, tensor] of setup.inputs.entries()) memory.set(request.inputs[i] ?? new Uint8Array(tensor.sizeBytes), tensor.offset)
    const hashes: Uint8Array[] = []
    const activations: Uint8Array[] = []
    if (request.trace === 'none') call(setup.runExport)
    else {
      for (const layer of setup.layers) {
        call(layer.runExport)
        call(layer.traceExport)
        const activation = read(layer.boundary)
        hashes.push(new Uint8Array(await crypto.subtle.digest('SHA-256', activation)))
        if (request.trace === 'activations') activations.push(activation)
      }
      call(setup.outputsExport)
    }
    channel.reply({ kind: 'done', id: request.id, outputs: setup.outputs.map(read), hashes, activations })
  }
  channel.receive((request) => {
    if (request.kind === 'setup') {
      started = start(request.setup)
      channel.reply({ kind: 'ready' })
      return
    }
    run(request).catch((error: unknown) => channel.reply({ kind: 'failed', id: request.id, detail: String(error) }))
  })
}

/** The text of a worker script for Node (`worker_threads`, eval) or a browser. */
export function workerSource(platform: 'node' | 'web'): string {
  const channel =
    platform === 'node'
      ? `const { parentPort } = require('node:worker_threads')
const channel = { receive: (listener) => parentPort.on('message', listener), reply: (message) => parentPort.postMessage(message) }`
      : `const channel = { receive: (listener) => { onmessage = (event) => listener(event.data) }, reply: (message) => postMessage(message) }`
  return `'use strict'\n${channel}\n;(${workerMain.toString()})(channel)\n`
}
