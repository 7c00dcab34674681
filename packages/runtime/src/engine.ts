// The one interface behind which every engine stands: a language engine streams text, a tensor engine maps tensors
// to tensors. Whoever holds an engine need not know whether a child process, an HTTP server or a sandbox answers.

import type { TraceEntry } from '@tacit/protocol'

/** Anything that runs a model; `kind` says which of the two shapes. */
export type Engine = LanguageEngine | TensorEngine

/** What both kinds share. An engine belongs to exactly one model and is held with `await using`. */
export type EngineBase = AsyncDisposable & {
  readonly info: EngineInfo
  /** `sha256:` and 64 hex digits; what was hashed is told by `info.identity`. */
  readonly modelDigest: ModelDigest
  /** Cheap, never throws, never waits for a running request. */
  health(): Promise<EngineHealth>
}

/** `sha256:` and 64 lower-case hexadecimal digits. */
export type ModelDigest = `sha256:${string}`

/** What a receipt pins about the engine that answered. */
export type EngineInfo = {
  /** The family: `llama.cpp`, `ollama`, `reference`, `sandbox`, ... */
  readonly engine: string
  /** The exact build of that family, as the engine reports it. */
  readonly build: string
  /**
   * One canonical line that pins everything which may change output bits: engine, build, model digest, tokenizer and
   * template hash, key-value cache type, flash attention, sampler, threads. Two engines with the same profile are
   * expected to agree under the replay rules; a replayer refuses a different one. Written by `formatProfile`.
   */
  readonly profile: string
  /**
   * `file`: this process hashed the very bytes that were loaded. `reported`: another program (Ollama) told the digest,
   * and nobody here saw the weights: a weaker label that a receipt must carry.
   */
  readonly identity: 'file' | 'reported'
}

/** Where an engine stands; `detail` is for the person and never holds prompts. */
export type EngineHealth = {
  readonly status: 'ready' | 'starting' | 'restarting' | 'failed' | 'closed'
  readonly running: number
  readonly queued: number
  /** How often the engine was brought back after a crash or hang. */
  readonly restarts: number
  readonly detail?: string
}

/** A model that continues text. */
export type LanguageEngine = EngineBase & {
  readonly kind: 'language'
  /** Prompt and answer together never exceed this. */
  readonly contextTokens: number
  /** What the engine says about its answers and every face must repeat beside them, such as "this model babbles". */
  readonly notice?: string
  /** Tokens of the input after the chat template, special tokens included. */
  countTokens(input: LanguageInput, options?: EngineOptions): Promise<number>
  /**
   * Streams the answer: `text` events, then exactly one `end`. Nothing is cut silently: a prompt that leaves no room for
   * one token throws `ContextExceededError` before the first event. Leaving the loop early or aborting frees the slot.
   */
  generate(request: LanguageRequest, options?: EngineOptions): AsyncIterable<LanguageEvent>
}

/** Chat messages that go through the model's own template, or a prompt that is taken as it is. */
export type LanguageInput = { readonly messages: readonly ChatMessage[] } | { readonly prompt: string }

/** One turn of a conversation. */
export type ChatMessage = { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }

/** What to generate and how; sampling depends on nothing but this, the profile and the seed. */
export type LanguageRequest = LanguageInput & {
  /** At most this many tokens; fewer when the context ends first (then `finishReason` is `length`). */
  readonly maxTokens: number
  /** 0 is greedy. */
  readonly temperature: number
  /** Nucleus; 1 when absent. */
  readonly topP?: number
  /** 0 to 2^32 - 1. */
  readonly seed: number
  /** The answer ends before the first of these; none of their characters is emitted. */
  readonly stop?: readonly string[]
}

/** Deadlines belong to the caller; aborting rejects with `signal.reason` and leaves nothing running. */
export type EngineOptions = { readonly signal?: AbortSignal }

/** Discriminated by `type`, so that later kinds of evidence (top logits per token) can join the stream. */
export type LanguageEvent = LanguageText | LanguageEnd

/** Whole characters only; `tokens` counts those consumed since the event before. */
export type LanguageText = { readonly type: 'text'; readonly text: string; readonly tokens: number }

/** The last event of every successful answer. */
export type LanguageEnd = {
  readonly type: 'end'
  readonly finishReason: 'stop' | 'length'
  readonly promptTokens: number
  readonly completionTokens: number
}

/** A network of tensors: a classifier, an embedder, a compiled module, a plan over ciphertexts. */
export type TensorEngine = EngineBase & {
  readonly kind: 'tensor'
  readonly inputs: readonly TensorSpec[]
  readonly outputs: readonly TensorSpec[]
  /** @throws InputMismatchError when a tensor is missing, extra, or of another type or shape. */
  run(inputs: NamedTensors, options?: TensorRunOptions): Promise<TensorRun>
}

/** Tensors by the names of inputs or outputs. */
export type NamedTensors = Readonly<Record<string, Tensor>>

/** `trace` asks for the activations at layer boundaries, which commitments and layer proofs stand on. */
export type TensorRunOptions = EngineOptions & {
  /** `hashes` is enough for a trace root; `true` gives the activations too. */
  readonly trace?: boolean | 'hashes'
}

/** What one run gave. */
export type TensorRun = {
  readonly outputs: NamedTensors
  /** In execution order; present when it was asked for and the engine has them. */
  readonly boundaries?: readonly BoundaryActivation[]
  /** Per boundary in canonical order, ready for `traceRoot`; from engines whose boundaries a manifest names. */
  readonly trace?: readonly TraceEntry[]
}

/** What crossed one layer boundary. */
export type BoundaryActivation = { readonly name: string; readonly tensor: Tensor }

/** Row-major values with their shape. */
export type Tensor =
  | { readonly type: 'f32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly type: 'i8'; readonly shape: readonly number[]; readonly data: Int8Array }
  | { readonly type: 'u8'; readonly shape: readonly number[]; readonly data: Uint8Array }
  | { readonly type: 'i32'; readonly shape: readonly number[]; readonly data: Int32Array }
  | { readonly type: 'i64'; readonly shape: readonly number[]; readonly data: BigInt64Array }

/** The element types that a request can carry. */
export type TensorType = Tensor['type']

/** A dimension of -1 is free (a batch). */
export type TensorSpec = { readonly name: string; readonly type: TensorType; readonly shape: readonly number[] }
