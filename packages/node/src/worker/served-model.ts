import type { JobInput, JobOutput } from '@tacit/exchange'
import type { Bytes32, FinishReason, Levels, ModelId, StreamMode } from '@tacit/protocol'

/** A model that a worker serves: how it is priced and how it runs. The engine behind it lives in `runtime`. */
export type ServedModel = {
  readonly id: ModelId
  readonly name: string
  /** The one root over the model's commitments, as registered. */
  readonly root: Bytes32
  readonly stepPrice: bigint
  /** Output tokens one step covers; 0 when the whole request is one step. */
  readonly stepTokens: number
  readonly maxSteps: number
  readonly deadlineSeconds: number
  readonly levels: readonly Levels[]
  readonly streamModes: readonly StreamMode[]
  /** Shown beside every answer; empty when there is nothing to say. */
  readonly notice: string
  /** Says why an input cannot be run, before anything is paid. */
  preflight(input: JobInput, options: { readonly signal: AbortSignal }): Promise<Preflight>
  run(input: JobInput, options: ServedRunOptions): AsyncIterable<RunEvent>
}

/** `traceKey` salts the layer trace, for models that have one. */
export type ServedRunOptions = { readonly maxTokens: number; readonly signal: AbortSignal; readonly traceKey: Uint8Array }

export type Preflight =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: 'context-exceeded' | 'input-mismatch'; readonly message: string }

export type RunEvent =
  | { readonly type: 'output'; readonly output: JobOutput; readonly tokens: number }
  | {
      readonly type: 'end'
      readonly finishReason: FinishReason
      readonly inputUnits: number
      readonly outputUnits: number
      readonly profile: string
      readonly traceRoot: Bytes32 | null
    }
