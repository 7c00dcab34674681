// What runs inside a worker: this one function, sent there as text (`workerSource`), so that it needs no module loader, file
// or bundler and is the same in Node and in a browser. It must not use anything outside its own body but web globals.
import type { ModuleParallel, ModuleSpan } from '@tacit/protocol'

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
  /** Present where two workers share each run. */
  readonly team?: WorkerTeam
}

/** Where the mailboxes of a team begin in its shared memory. */
export const teamHeaderBytes = 256

/**
 * One of two workers that share each run. `shared` holds, 64 bytes apart, two counters of meetings and one of runs with the wish for a trace
 * beside it; then two mailboxes per thread, used in turn (whoever writes one again knows that the other thread has met once since, and so has
 * read it); then the inputs.
 */
export type WorkerTeam = {
  readonly thread: 0 | 1
  readonly shared: SharedArrayBuffer
  readonly mailboxBytes: number
  readonly parallel: ModuleParallel
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
  type Run = Extract<WorkerRequest, { kind: 'run' }>
  type Trace = { readonly hashes: Uint8Array[]; readonly activations: Uint8Array[] }
  type Instance = { readonly memory: Uint8Array; readonly call: (name: string) => void }
  type Meeting = () => void
  type TeamLayer = { readonly stages: readonly { readonly meet: Meeting; readonly runExport: string }[]; readonly gather: Meeting }
  type Started = {
    readonly setup: WorkerSetup
    readonly team?: { readonly layers: readonly TeamLayer[]; readonly closing: Meeting }
  } & Instance
  let started: Started | undefined
  const headerBytes = 256 // teamHeaderBytes, which is outside this function
  const runCounter = 32
  const anyRun = 0
  const traceFlag = 33

  const start = (setup: WorkerSetup): Started => {
    const { exports } = new WebAssembly.Instance(setup.module)
    const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
    if (setup.weights) memory.set(setup.weights.bytes, setup.weights.offset)
    const call = (name: string): void => (exports[name] as () => void)()
    return { setup, memory, call, ...(setup.team ? { team: joinTeam(setup.team, memory) } : {}) }
  }

  const joinTeam = ({ thread, shared, mailboxBytes, parallel }: WorkerTeam, memory: Uint8Array): NonNullable<Started['team']> => {
    const counters = new Int32Array(shared, 0, headerBytes / 4)
    const [own, other] = [16 * thread, 16 * (1 - thread)]
    // About a third of a millisecond: sleeping and being woken takes longer than the other thread is ever late where each has a core. Where
    // they share one, spinning keeps the other from its work, so it ends.
    const spins = 60_000
    let met = 0
    const piecesOf = (spans: readonly ModuleSpan[], from: number) => {
      let at = 0
      return spans.flatMap(({ offset, sizeBytes, stepBytes, count }) =>
        Array.from({ length: count }, (_, i) => {
          const place = offset + i * stepBytes
          // The same place within a word on both sides: other copies to shared memory go byte by byte.
          at += (((place - at) % 8) + 8) % 8
          const box = (turn: number) => new Uint8Array(shared, headerBytes + (2 * from + turn) * mailboxBytes + at, sizeBytes)
          const piece = { inside: memory.subarray(place, place + sizeBytes), boxes: [box(0), box(1)] as const }
          at += sizeBytes
          return piece
        }),
      )
    }
    const meeting = (toFirst: readonly ModuleSpan[], toSecond: readonly ModuleSpan[]): Meeting => {
      if (toFirst.length + toSecond.length === 0) return () => undefined
      const outgoing = piecesOf(thread === 0 ? toSecond : toFirst, thread)
      const incoming = piecesOf(thread === 0 ? toFirst : toSecond, 1 - thread)
      return () => {
        const turn = (met & 1) as 0 | 1 // one bit
        for (const { inside, boxes } of outgoing) boxes[turn].set(inside)
        met = (met + 1) | 0
        Atomics.store(counters, own, met)
        Atomics.notify(counters, own)
        let seen = Atomics.load(counters, other)
        for (let spin = 0; ((seen - met) | 0) < 0 && spin < spins; spin++) seen = Atomics.load(counters, other)
        while (((seen - met) | 0) < 0) {
          Atomics.wait(counters, other, seen)
          seen = Atomics.load(counters, other)
        }
        for (const { inside, boxes } of incoming) inside.set(boxes[turn])
      }
    }
    const layers = parallel.layers.map(({ stages, gather }) => ({
      stages: stages.map(({ toFirst, toSecond, runExports }) => ({ meet: meeting(toFirst, toSecond), runExport: runExports[thread] })),
      gather: meeting(gather, []),
    }))
    return { layers, closing: meeting(parallel.closing, []) }
  }

  const read = ({ memory }: Instance, { offset, sizeBytes }: WorkerTensor): Uint8Array<ArrayBuffer> =>
    memory.slice(offset, offset + sizeBytes) as Uint8Array<ArrayBuffer>

  const record = async (instance: Instance, layer: WorkerSetup['layers'][number], { request, trace }: { request: Run; trace: Trace }) => {
    instance.call(layer.traceExport)
    const activation = read(instance, layer.boundary)
    trace.hashes.push(new Uint8Array(await crypto.subtle.digest('SHA-256', activation)))
    if (request.trace === 'activations') trace.activations.push(activation)
  }

  const runAlone = async (instance: Started, request: Run, trace: Trace): Promise<void> => {
    const { setup } = instance
    if (request.trace === 'none') instance.call(setup.runExport)
    else {
      for (const layer of setup.layers) {
        instance.call(layer.runExport)
        await record(instance, layer, { request, trace })
      }
      instance.call(setup.outputsExport)
    }
  }

  // The first thread's half: both take the same meetings in the same order; this one writes boundaries and outputs.
  const runTogether = async (instance: Started, request: Run, trace: Trace): Promise<void> => {
    const { setup, team } = instance
    for (const [place, { stages, gather }] of (team?.layers ?? []).entries()) {
      for (const { meet, runExport } of stages) {
        meet()
        instance.call(runExport)
      }
      if (request.trace === 'none') continue
      gather()
      const layer = setup.layers[place]
      if (layer !== undefined) await record(instance, layer, { request, trace })
    }
    team?.closing()
    instance.call(setup.outputsExport)
  }

  const sharedInputs = ({ inputs, team }: WorkerSetup): readonly Uint8Array[] => {
    if (team === undefined) return []
    let at = headerBytes + 4 * team.mailboxBytes
    return inputs.map(({ sizeBytes }) => {
      const place = new Uint8Array(team.shared, at, sizeBytes)
      at += Math.ceil(sizeBytes / 8) * 8
      return place
    })
  }

  // The first thread tells the second what to run. By then whoever asked sleeps, and its core is free.
  const wakeSecond = (setup: WorkerSetup, request: Run): void => {
    if (setup.team === undefined) return
    const counters = new Int32Array(setup.team.shared, 0, headerBytes / 4)
    for (const [i, place] of sharedInputs(setup).entries()) place.set(request.inputs[i] ?? new Uint8Array(place.length))
    counters[traceFlag] = request.trace === 'none' ? 0 : 1
    Atomics.add(counters, runCounter, 1)
    Atomics.notify(counters, runCounter)
  }

  // The second thread takes no messages after its start. For about half a millisecond after a run it stays awake: the next one often follows
  // at once, and a thread that keeps its core is not put on the other one's when it wakes.
  const serveSecond = (instance: Started): void => {
    const { setup, memory, call, team } = instance
    if (setup.team === undefined || team === undefined) return
    const counters = new Int32Array(setup.team.shared, 0, headerBytes / 4)
    const spins = 60_000
    const inputs = sharedInputs(setup)
    for (let done = 0; ; done++) {
      let asked = Atomics.load(counters, runCounter)
      for (let spin = 0; asked === done && spin < spins; spin++) asked = Atomics.load(counters, runCounter)
      while (asked === done) {
        Atomics.wait(counters, runCounter, done)
        asked = Atomics.load(counters, runCounter)
      }
      for (const [i, tensor] of setup.inputs.entries()) memory.set(inputs[i] ?? new Uint8Array(tensor.sizeBytes), tensor.offset)
      for (const { stages, gather } of team.layers) {
        for (const { meet, runExport } of stages) {
          meet()
          call(runExport)
        }
        if (counters[traceFlag] === 1) gather()
      }
      team.closing()
    }
  }

  const run = async (request: Run): Promise<void> => {
    if (started === undefined) throw new Error('run before setup')
    const instance = started
    const { setup, memory, team } = instance
    wakeSecond(setup, request)
    for (const [i, tensor] of setup.inputs.entries()) memory.set(request.inputs[i] ?? new Uint8Array(tensor.sizeBytes), tensor.offset)
    const trace: Trace = { hashes: [], activations: [] }
    await (team === undefined ? runAlone : runTogether)(instance, request, trace)
    const outputs = setup.outputs.map((tensor) => read(instance, tensor))
    channel.reply({ kind: 'done', id: request.id, outputs, ...trace })
  }

  channel.receive((request) => {
    if (request.kind === 'setup') {
      started = start(request.setup)
      channel.reply({ kind: 'ready' })
      if (request.setup.team?.thread !== 1) return
      try {
        serveSecond(started)
      } catch (error) {
        channel.reply({ kind: 'failed', id: anyRun, detail: String(error) })
      }
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
