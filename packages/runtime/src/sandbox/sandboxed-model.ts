// A compiled model in a worker of its own: one run at a time, ended at its deadline by ending the worker.
import {
  type Bytes32,
  type ModuleElementType,
  type ModuleManifest,
  type ModuleTensor,
  moduleTensorBytes,
  parseBytes32,
  sha256Hash,
  toHex,
  type TraceEntry,
} from '@tacit/protocol'
import type { InspectionPolicy } from '@tacit/wasm'
import type { EngineHealth, NamedTensors, Tensor, TensorEngine, TensorRun, TensorRunOptions, TensorSpec, TensorType } from '../engine.ts'
import { EngineClosedError, EngineCrashedError, InputMismatchError } from '../errors.ts'
import { formatProfile } from '../profile.ts'
import { assertInputs } from '../reference-engine.ts'
import { assertModule } from './check-module.ts'
import { SandboxDeadlineError, SandboxRefusedError, SandboxTrapError } from './sandbox-errors.ts'
import type { WorkerReply, WorkerRequest, WorkerSetup } from './sandbox-worker-main.ts'

/** A started worker. `terminate` ends it at once, whatever it computes. */
export type SandboxWorker = {
  send(request: WorkerRequest): void
  terminate(): void
}

/** Starts workers and tells time: what differs between Node and browsers. */
export type SandboxHost = {
  start(listeners: { onReply(reply: WorkerReply): void; onExit(detail: string): void }): SandboxWorker
  /** Calls back after some milliseconds, unless cancelled by the function it returns. */
  delay(ms: number, callback: () => void): () => void
}

export type LoadModelOptions = {
  /** Bounds that inspection holds the module to. */
  readonly policy?: Partial<InspectionPolicy>
  /** The weights of a module whose manifest says they are external. */
  readonly weights?: Uint8Array
}

export type SandboxRunOptions = Omit<TensorRunOptions, 'trace'> & {
  /** `true` is `activations`; `hashes` is enough for a trace root. */
  readonly trace?: boolean | 'hashes' | 'activations'
  /** The run is ended after this; one second plus ten times what a slow machine needs for the declared work, if absent. */
  readonly deadlineMs?: number
}

export type SandboxRun = TensorRun & {
  /** Per boundary in canonical order, ready for `traceRoot`; present when a trace was asked for. */
  readonly trace?: readonly TraceEntry[]
}

/** A compiled model that can be run. */
export type SandboxedModel = Omit<TensorEngine, 'run'> & {
  readonly manifest: ModuleManifest
  run(inputs: NamedTensors, options?: SandboxRunOptions): Promise<SandboxRun>
}

const tensorTypes: Readonly<Record<ModuleElementType, TensorType>> = {
  float32: 'f32',
  int8: 'i8',
  uint8: 'u8',
  int32: 'i32',
  int64: 'i64',
  bool: 'u8',
}

/**
 * Inspects a module, checks it against its manifest and compiles it; the platform's `loadModel` passes its host.
 * @throws SandboxRefusedError
 */
export async function loadModelOn(
  host: SandboxHost,
  source: { readonly wasm: Uint8Array; readonly manifest: ModuleManifest },
  options: LoadModelOptions = {},
): Promise<SandboxedModel> {
  const { wasm, manifest } = source
  assertModule(wasm, manifest, options.policy)
  const weights = acceptWeights(manifest, options.weights)
  const module = await WebAssembly.compile(wasm as Uint8Array<ArrayBuffer>).catch((cause: unknown) => {
    throw new SandboxRefusedError('engine', String(cause))
  })
  const place = (tensor: ModuleTensor) => ({ offset: tensor.offset, sizeBytes: moduleTensorBytes(tensor) })
  const setup: WorkerSetup = {
    module,
    ...(weights === undefined ? {} : { weights }),
    inputs: manifest.inputs.map(place),
    outputs: manifest.outputs.map(place),
    layers: manifest.layers.map(({ runExport, traceExport, boundary }) => ({ runExport, traceExport, boundary: place(boundary) })),
    runExport: manifest.runExport,
    outputsExport: manifest.outputsExport,
  }
  return new WorkerModel(host, manifest, setup)
}

function acceptWeights(manifest: ModuleManifest, bytes: Uint8Array | undefined): WorkerSetup['weights'] {
  const { weights } = manifest
  if (weights.kind === 'inline') return undefined
  if (bytes === undefined || bytes.length !== weights.sizeBytes || sha256Hash(bytes) !== weights.sha256)
    throw new SandboxRefusedError('weights', 'The external weights are missing or not those of the manifest.')
  return { offset: weights.offset, bytes }
}

type Pending = { readonly id: number; resolve(reply: Extract<WorkerReply, { kind: 'done' }>): void; reject(error: unknown): void }

class WorkerModel implements SandboxedModel {
  readonly kind = 'tensor'
  readonly manifest: ModuleManifest
  readonly #host: SandboxHost
  readonly #setup: WorkerSetup
  #worker: SandboxWorker | undefined
  #pending: Pending | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #queued = 0
  #restarts = 0
  #nextId = 1
  #closed = false

  constructor(host: SandboxHost, manifest: ModuleManifest, setup: WorkerSetup) {
    this.#host = host
    this.manifest = manifest
    this.#setup = setup
  }

  get modelDigest(): `sha256:${string}` {
    return `sha256:${this.manifest.moduleSha256.slice(2)}`
  }

  get info(): TensorEngine['info'] {
    const { profile } = this.manifest
    return {
      engine: 'sandbox',
      build: `${profile}.1`,
      profile: formatProfile({ engine: 'sandbox', build: `${profile}.1`, model: this.modelDigest, threads: 1 }),
      identity: 'file',
    }
  }

  get inputs(): readonly TensorSpec[] {
    return this.manifest.inputs.map(specOf)
  }

  get outputs(): readonly TensorSpec[] {
    return this.manifest.outputs.map(specOf)
  }

  async health(): Promise<EngineHealth> {
    const running = this.#pending === undefined ? 0 : 1
    return { status: this.#closed ? 'closed' : 'ready', running, queued: this.#queued, restarts: this.#restarts }
  }

  async run(inputs: NamedTensors, options: SandboxRunOptions = {}): Promise<SandboxRun> {
    assertInputs(this.inputs, inputs)
    const before = this.#tail
    this.#queued++
    const run = before.then(() => {
      this.#queued--
      return this.#runNow(inputs, options)
    })
    this.#tail = run.catch(() => undefined)
    return run
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#end(new EngineClosedError())
  }

  async #runNow(inputs: NamedTensors, options: SandboxRunOptions): Promise<SandboxRun> {
    options.signal?.throwIfAborted()
    if (this.#closed) throw new EngineClosedError()
    const trace = options.trace === true ? 'activations' : options.trace || 'none'
    const deadlineMs = options.deadlineMs ?? defaultDeadlineMs(this.manifest)
    const cancel = this.#host.delay(deadlineMs, () => this.#end(new SandboxDeadlineError(deadlineMs)))
    const abort = (): void => this.#end(options.signal?.reason)
    options.signal?.addEventListener('abort', abort, { once: true })
    try {
      const reply = await this.#send(
        this.manifest.inputs.map(({ name }) => bytesOf(inputs[name])),
        trace,
      )
      return this.#toRun(reply, trace)
    } finally {
      cancel()
      options.signal?.removeEventListener('abort', abort)
    }
  }

  #send(inputs: readonly Uint8Array[], trace: 'none' | 'hashes' | 'activations'): Promise<Extract<WorkerReply, { kind: 'done' }>> {
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending = { id, resolve, reject }
      this.#startedWorker().send({ kind: 'run', id, inputs, trace })
    })
  }

  #startedWorker(): SandboxWorker {
    if (this.#worker !== undefined) return this.#worker
    const worker = this.#host.start({
      onReply: (reply) => {
        if (this.#worker === worker) this.#settle(reply)
      },
      onExit: (detail) => {
        if (this.#worker === worker) this.#end(new EngineCrashedError(detail))
      },
    })
    this.#worker = worker
    worker.send({ kind: 'setup', setup: this.#setup })
    return worker
  }

  #settle(reply: WorkerReply): void {
    const pending = this.#pending
    if (reply.kind === 'ready' || pending === undefined || reply.id !== pending.id) return
    this.#pending = undefined
    if (reply.kind === 'done') pending.resolve(reply)
    else pending.reject(new SandboxTrapError(reply.detail))
  }

  /** Ends the worker; the next run starts a new one. */
  #end(reason: unknown): void {
    const pending = this.#pending
    this.#pending = undefined
    if (this.#worker !== undefined) this.#restarts++
    this.#worker?.terminate()
    this.#worker = undefined
    pending?.reject(reason)
  }

  #toRun(reply: Extract<WorkerReply, { kind: 'done' }>, trace: 'none' | 'hashes' | 'activations'): SandboxRun {
    const { layers, outputs } = this.manifest
    const named = Object.fromEntries(outputs.map((tensor, i) => [tensor.name, tensorOf(tensor, reply.outputs[i])]))
    if (trace === 'none') return { outputs: named }
    const entries = layers.map((layer, place) => entryOf(layer.index, layer.boundary, hashOf(reply.hashes[place])))
    const boundaries = layers.map((layer, place) => ({
      name: layer.boundary.name,
      tensor: tensorOf(layer.boundary, reply.activations[place]),
    }))
    return {
      outputs: named,
      trace: entries.sort((a, b) => a.index - b.index),
      ...(trace === 'activations' ? { boundaries } : {}),
    }
  }
}

/** One second, plus ten times what a machine needs that executes 100 million instructions per second. */
export function defaultDeadlineMs(manifest: ModuleManifest): number {
  return 1000 + Math.ceil(Number(manifest.runWork) / 10_000)
}

function entryOf(index: number, { elementType, shape }: ModuleTensor, activationHash: Bytes32): TraceEntry {
  return { index, elementType, shape, activationHash }
}

function hashOf(bytes: Uint8Array | undefined): Bytes32 {
  return parseBytes32(toHex(bytes ?? new Uint8Array(0)))
}

function specOf({ name, elementType, shape }: ModuleTensor): TensorSpec {
  return { name, type: tensorTypes[elementType], shape }
}

function bytesOf(tensor: Tensor | undefined): Uint8Array {
  if (tensor === undefined) throw new InputMismatchError('a tensor is missing')
  const { data } = tensor
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
}

/** The canonical bytes of a value as a tensor. WebAssembly memory is little-endian, and so is every platform that runs this. */
function tensorOf({ elementType, shape }: ModuleTensor, bytes: Uint8Array | undefined): Tensor {
  const buffer = (bytes ?? new Uint8Array(0)).slice().buffer as ArrayBuffer // slice() allocates an ArrayBuffer
  switch (tensorTypes[elementType]) {
    case 'f32':
      return { type: 'f32', shape, data: new Float32Array(buffer) }
    case 'i8':
      return { type: 'i8', shape, data: new Int8Array(buffer) }
    case 'u8':
      return { type: 'u8', shape, data: new Uint8Array(buffer) }
    case 'i32':
      return { type: 'i32', shape, data: new Int32Array(buffer) }
    case 'i64':
      return { type: 'i64', shape, data: new BigInt64Array(buffer) }
  }
}
