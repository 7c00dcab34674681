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
import { EngineClosedError, InputMismatchError } from '../errors.ts'
import { formatProfile } from '../profile.ts'
import { assertInputs } from '../reference-engine.ts'
import { assertModule } from './check-module.ts'
import { SandboxDeadlineError, SandboxRefusedError } from './sandbox-errors.ts'
import type { WorkerSetup } from './sandbox-worker-main.ts'
import { type GroupSetup, type SandboxHost, type WorkerDone, WorkerGroup } from './worker-group.ts'

export type LoadModelOptions = {
  /** Bounds that inspection holds the module to. */
  readonly policy?: Partial<InspectionPolicy>
  /** The weights of a module whose manifest says they are external. */
  readonly weights?: Uint8Array
  /**
   * 2: two workers share each run, with the same bits, if the module was compiled for it and the platform has shared memory;
   * `threads` of the model says what came of it. 1 unless said.
   */
  readonly threads?: 1 | 2
}

export type SandboxRunOptions = Omit<TensorRunOptions, 'trace'> & {
  /** `true` is `activations`; `hashes` is enough for a trace root. */
  readonly trace?: boolean | 'hashes' | 'activations'
  /** The run is ended after this; one second plus ten times what a slow machine needs for the declared work, if absent. */
  readonly deadlineMs?: number
}

export type SandboxRun = TensorRun

/** A compiled model that can be run. */
export type SandboxedModel = Omit<TensorEngine, 'run'> & {
  readonly manifest: ModuleManifest
  readonly threads: Threads
  run(inputs: NamedTensors, options?: SandboxRunOptions): Promise<SandboxRun>
}

/** How many threads share a run, and why there are fewer than were asked for. */
export type Threads = { readonly count: 1 | 2; readonly note?: string }

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
  return new WorkerModel(host, { manifest, setup, threads: chooseThreads(manifest, options.threads ?? 1) })
}

function chooseThreads({ parallel }: ModuleManifest, asked: 1 | 2): Threads {
  if (asked === 1) return { count: 1 }
  if (parallel === undefined) return { count: 1, note: 'The module has no stages for two threads.' }
  if (typeof SharedArrayBuffer === 'undefined')
    return { count: 1, note: 'There is no shared memory here: a page must be cross-origin isolated to have it.' }
  return { count: 2 }
}

function acceptWeights(manifest: ModuleManifest, bytes: Uint8Array | undefined): WorkerSetup['weights'] {
  const { weights } = manifest
  if (weights.kind === 'inline') return undefined
  if (bytes === undefined || bytes.length !== weights.sizeBytes || sha256Hash(bytes) !== weights.sha256)
    throw new SandboxRefusedError('weights', 'The external weights are missing or not those of the manifest.')
  return { offset: weights.offset, bytes }
}

type ModelParts = { readonly manifest: ModuleManifest; readonly setup: WorkerSetup; readonly threads: Threads }

class WorkerModel implements SandboxedModel {
  readonly kind = 'tensor'
  readonly manifest: ModuleManifest
  readonly threads: Threads
  readonly #host: SandboxHost
  readonly #setup: GroupSetup
  #group: WorkerGroup | undefined
  #tail: Promise<unknown> = Promise.resolve()
  #queued = 0
  #restarts = 0
  #closed = false

  constructor(host: SandboxHost, { manifest, setup, threads }: ModelParts) {
    this.#host = host
    this.manifest = manifest
    this.threads = threads
    const { parallel } = manifest
    this.#setup = { setup, ...(threads.count === 1 || parallel === undefined ? {} : { parallel }) }
  }

  get modelDigest(): `sha256:${string}` {
    return `sha256:${this.manifest.moduleSha256.slice(2)}`
  }

  get info(): TensorEngine['info'] {
    const { profile } = this.manifest
    return {
      engine: 'sandbox',
      build: `${profile}.1`,
      profile: formatProfile({ engine: 'sandbox', build: `${profile}.1`, model: this.modelDigest, threads: this.threads.count }),
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
    const running = this.#group?.isRunning ? 1 : 0
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
    this.#group?.end(new EngineClosedError())
  }

  async #runNow(inputs: NamedTensors, options: SandboxRunOptions): Promise<SandboxRun> {
    options.signal?.throwIfAborted()
    if (this.#closed) throw new EngineClosedError()
    const trace = options.trace === true ? 'activations' : options.trace || 'none'
    const deadlineMs = options.deadlineMs ?? defaultDeadlineMs(this.manifest)
    const group = this.#startedGroup()
    const cancel = this.#host.delay(deadlineMs, () => group.end(new SandboxDeadlineError(deadlineMs)))
    const abort = (): void => group.end(options.signal?.reason)
    options.signal?.addEventListener('abort', abort, { once: true })
    try {
      return this.#toRun(await group.run({ inputs: this.manifest.inputs.map(({ name }) => bytesOf(inputs[name])), trace }), trace)
    } finally {
      cancel()
      options.signal?.removeEventListener('abort', abort)
    }
  }

  /** The next run after an end starts new workers. */
  #startedGroup(): WorkerGroup {
    this.#group ??= new WorkerGroup(this.#host, this.#setup, () => {
      this.#group = undefined
      this.#restarts++
    })
    return this.#group
  }

  #toRun(reply: WorkerDone, trace: 'none' | 'hashes' | 'activations'): SandboxRun {
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
