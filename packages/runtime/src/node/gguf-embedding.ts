// A GGUF embedding model in a child process of its own: texts to embed are intents, and they do not leave this machine.
import { availableParallelism } from 'node:os'
import type { ModelDigest } from '../engine.ts'
import { EngineClosedError } from '../errors.ts'
import { slotQueue } from '../slot-queue.ts'
import type { OpenModel } from './llama-messages.ts'
import { type LlamaProcess, startLlamaProcess } from './llama-process.ts'
import type { EmbeddingModel } from './ollama-embedding.ts'

/** Which file to open, and within which limits. */
export type GgufEmbeddingOptions = {
  /** A GGUF file; one that was trained for embeddings says in its metadata how its tokens are pooled. */
  readonly file: string
  /** Refuse any other bytes. */
  readonly digest?: ModelDigest
  /** Longest text in tokens, at most what the model was trained for. */
  readonly contextTokens?: number
  readonly threads?: number
  readonly startTimeoutMs?: number
  /** A text that takes longer ends the child. */
  readonly textTimeoutMs?: number
  /** Calls that may wait for the one that runs. */
  readonly queueLimit?: number
  readonly signal?: AbortSignal
}

/** The model, until it is disposed. */
export type GgufEmbedding = EmbeddingModel & AsyncDisposable & { readonly childPid: number | undefined }

/**
 * Opens a GGUF embedding model with llama.cpp. A crashed child is started again with the same bytes by the next call.
 *
 * @example
 * await using model = await openGgufEmbedding({ file: 'nomic-embed-text-v1.5.Q8_0.gguf' })
 * const embedder = createSemanticEmbedder(model, 384) // of @tacit/routing
 *
 * @throws ModelNotFoundError, ModelMalformedError, DigestMismatchError, ModelChangedError, PlatformUnsupportedError, EngineStartError
 */
export async function openGgufEmbedding(options: GgufEmbeddingOptions): Promise<GgufEmbedding> {
  const open: OpenModel = {
    file: options.file,
    ...(options.digest === undefined ? {} : { digest: options.digest }),
    contextTokens: options.contextTokens ?? 512,
    batchTokens: options.contextTokens ?? 512,
    threads: Math.max(1, Math.min(options.threads ?? 1, availableParallelism())),
    embeddings: true,
  }
  const startTimeoutMs = options.startTimeoutMs ?? 120_000
  const slots = slotQueue({ slots: 1, queueLimit: options.queueLimit ?? 8 })
  const closing = new AbortController()
  let current: LlamaProcess | undefined
  const start = async (pinned: OpenModel, signal?: AbortSignal): Promise<LlamaProcess> => {
    const child = await startLlamaProcess(pinned, { startTimeoutMs, ...(signal ? { signal } : {}) })
    current = child
    void child.exited.then(() => {
      if (current === child) current = undefined
    })
    return child
  }
  const first = await start(open, options.signal)
  const pinned: OpenModel = { ...open, digest: first.facts.digest }
  return {
    // Vectors of two builds or two context lengths are close, not equal: they may be compared, so only the weights name the space.
    model: `gguf/${first.facts.digest}`,
    get childPid() {
      return current?.pid
    },
    async embed(texts, { signal } = {}) {
      const joined = signal ? AbortSignal.any([signal, closing.signal]) : closing.signal
      const release = await slots.acquire(joined)
      try {
        const vectors: Float64Array[] = []
        for (const text of texts) {
          joined.throwIfAborted()
          const child = current ?? (await start(pinned, joined))
          vectors.push(await child.embed(text, options.textTimeoutMs ?? 60_000))
        }
        return vectors
      } finally {
        release()
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new EngineClosedError())
      const child = current
      child?.kill()
      await child?.exited
    },
  }
}
