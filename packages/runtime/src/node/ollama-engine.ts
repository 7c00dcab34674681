// Ollama as a language engine. It is a black box: the digest is the one it reports, and the weights are never seen here,
// so receipts carry the weaker label `reported`. Cancelling closes the socket, which is how Ollama frees its slot.
import type { EngineHealth, LanguageEngine, LanguageEnd, LanguageEvent, LanguageInput, LanguageRequest, ModelDigest } from '../engine.ts'
import {
  ContextExceededError,
  DigestMismatchError,
  EngineClosedError,
  ModelNotFoundError,
  OllamaFailedError,
  OllamaRemoteModelError,
} from '../errors.ts'
import { assertLanguageInput, assertLanguageRequest, inputOf } from '../language-request.ts'
import { formatProfile } from '../profile.ts'
import { type SlotQueue, slotQueue } from '../slot-queue.ts'
import { NdjsonBrokenError, readNdjson } from './ndjson.ts'
import {
  asRecord,
  callOllama,
  defaultOllamaAddress,
  describeFailure,
  failureOf,
  listModels,
  type OllamaModel,
  sendToOllama,
} from './ollama-api.ts'

/** Which model to open, and within which limits. */
export type OllamaEngineOptions = {
  /** As Ollama lists it; `:latest` may be left out. */
  readonly model: string
  readonly address?: string
  /** Refuse any other manifest. Without it the digest found now is pinned. */
  readonly digest?: ModelDigest
  readonly contextTokens?: number
  readonly queueLimit?: number
  /** Without a byte for this long, loading included, the request fails. */
  readonly stallTimeoutMs?: number
  readonly signal?: AbortSignal
}

const lineLimitBytes = 1 << 20

/**
 * Opens a model of a running Ollama; see `detectOllama`.
 *
 * @example
 * await using engine = await openOllamaEngine({ model: 'llama3.2:1b' })
 *
 * @throws OllamaUnreachableError, ModelNotFoundError, DigestMismatchError, OllamaRemoteModelError, OllamaFailedError
 */
export async function openOllamaEngine(options: OllamaEngineOptions): Promise<LanguageEngine> {
  const address = options.address ?? defaultOllamaAddress
  const signal = options.signal ?? AbortSignal.timeout(30_000)
  const model = await findModel(address, options.model, options.digest, signal)
  const shown = await callOllama(address, '/api/show', signal, { model: model.name })
  const { version } = await callOllama(address, '/api/version', signal)
  const trained = trainedContext(asRecord(shown['model_info']))
  const contextTokens = Math.min(options.contextTokens ?? 4096, trained ?? Number.POSITIVE_INFINITY)
  const thinks = Array.isArray(shown['capabilities']) && shown['capabilities'].includes('thinking')
  return new OllamaEngine(options, address, model, { build: typeof version === 'string' ? version : 'unknown', contextTokens, thinks })
}

type OllamaFacts = { readonly build: string; readonly contextTokens: number; readonly thinks: boolean }

class OllamaEngine implements LanguageEngine {
  readonly kind = 'language'
  readonly info: LanguageEngine['info']
  readonly modelDigest: ModelDigest
  readonly contextTokens: number
  readonly #options: OllamaEngineOptions
  readonly #address: string
  readonly #model: OllamaModel
  readonly #thinks: boolean
  readonly #slots: SlotQueue
  readonly #closing = new AbortController()
  #detail: string | undefined

  constructor(options: OllamaEngineOptions, address: string, model: OllamaModel, facts: OllamaFacts) {
    this.#options = options
    this.#address = address
    this.#model = model
    this.#thinks = facts.thinks
    this.#slots = slotQueue({ slots: 1, queueLimit: options.queueLimit ?? 8 })
    this.modelDigest = model.digest
    this.contextTokens = facts.contextTokens
    const profile = formatProfile({
      engine: 'ollama',
      build: facts.build,
      manifest: model.digest,
      kv: 'unknown',
      flash: 'unknown',
      sampler: 'top_p+temp+dist',
      context: facts.contextTokens,
      threads: 'unknown',
    })
    this.info = { engine: 'ollama', build: facts.build, profile, identity: 'reported' }
  }

  async health(): Promise<EngineHealth> {
    const closed = this.#closing.signal.aborted
    return {
      status: closed ? 'closed' : this.#detail === undefined ? 'ready' : 'failed',
      running: this.#slots.running,
      queued: this.#slots.queued,
      restarts: 0,
      ...(this.#detail === undefined ? {} : { detail: this.#detail }),
    }
  }

  /** Ollama cannot count without running, so this reads the prompt and generates one token. */
  async countTokens(...[input, { signal } = {}]: Parameters<LanguageEngine['countTokens']>): Promise<number> {
    assertLanguageInput(input)
    let count = 0
    for await (const event of this.generate({ ...inputOf(input), maxTokens: 1, temperature: 0, seed: 0 }, signal ? { signal } : {})) {
      if (event.type === 'end') count = event.promptTokens
    }
    return count
  }

  async *generate(...[request, { signal } = {}]: Parameters<LanguageEngine['generate']>): ReturnType<LanguageEngine['generate']> {
    assertLanguageRequest(request)
    const joined = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    const release = await this.#slots.acquire(joined)
    try {
      await findModel(this.#address, this.#model.name, this.#model.digest, joined)
      yield* this.#stream(request, joined)
    } catch (error) {
      if (!joined.aborted && !(error instanceof ContextExceededError)) this.#detail = error instanceof Error ? error.message : 'unknown'
      throw error
    } finally {
      release()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new EngineClosedError())
  }

  async *#stream(request: LanguageRequest, signal: AbortSignal): AsyncGenerator<LanguageEvent, void, void> {
    const stall = new AbortController()
    const stallTimeoutMs = this.#options.stallTimeoutMs ?? 120_000
    const timer = setTimeout(() => stall.abort(new OllamaFailedError(`it made no progress for ${stallTimeoutMs} ms`)), stallTimeoutMs)
    const either = AbortSignal.any([signal, stall.signal])
    try {
      const path = 'prompt' in request ? '/api/generate' : '/api/chat'
      const response = await sendToOllama(this.#address, path, either, this.#body(request))
      if (!response.ok) throw await this.#refused(response)
      if (response.body === null) throw new OllamaFailedError('its reply is empty')
      for await (const line of readNdjson(response.body, lineLimitBytes)) {
        timer.refresh()
        if (typeof line['error'] === 'string') throw new OllamaFailedError(`${describeFailure(line['error'])} while answering`)
        const text = textOf(line)
        if (text !== '') yield { type: 'text', text, tokens: 1 }
        // The consumer may have taken its time.
        timer.refresh()
        if (line['done'] !== true) continue
        this.#detail = undefined
        yield endOf(line)
        return
      }
      throw new OllamaFailedError('its answer broke off')
    } catch (error) {
      if (either.aborted) throw either.reason
      if (error instanceof NdjsonBrokenError) throw new OllamaFailedError('its answer is garbled')
      if (error instanceof TypeError) throw new OllamaFailedError('the connection broke')
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  #body(request: LanguageRequest): Record<string, unknown> {
    const input: LanguageInput = inputOf(request)
    return {
      model: this.#model.name,
      ...('prompt' in input ? { prompt: input.prompt, raw: true } : { messages: input.messages }),
      ...(this.#thinks ? { think: false } : {}),
      stream: true,
      // Refuse instead of cutting the prompt or sliding the window.
      truncate: false,
      shift: false,
      options: {
        num_ctx: this.contextTokens,
        num_predict: request.maxTokens,
        seed: request.seed,
        temperature: request.temperature,
        top_p: request.topP ?? 1,
        // What a model file may set otherwise, switched off.
        top_k: 0,
        min_p: 0,
        typical_p: 1,
        repeat_penalty: 1,
        presence_penalty: 0,
        frequency_penalty: 0,
        ...(request.stop ? { stop: request.stop } : {}),
      },
    }
  }

  async #refused(response: Response): Promise<Error> {
    const error = await failureOf(response)
    // Ollama does not say how many tokens it counted; at least it is more than fit.
    if (!/longer than the context/.test(error.message)) return error
    return new ContextExceededError({ promptTokens: this.contextTokens + 1, contextTokens: this.contextTokens })
  }
}

async function findModel(address: string, name: string, digest: ModelDigest | undefined, signal: AbortSignal): Promise<OllamaModel> {
  const models = await listModels(address, signal)
  const found = models.find((model) => model.name === name || model.name === `${name}:latest`)
  if (found === undefined) throw new ModelNotFoundError(`${address} under the name ${name}`)
  if (found.remote) throw new OllamaRemoteModelError(name)
  if (digest !== undefined && found.digest !== digest) throw new DigestMismatchError({ expected: digest, actual: found.digest })
  return found
}

function trainedContext(info: Record<string, unknown>): number | undefined {
  const key = Object.keys(info).find((name) => name.endsWith('.context_length'))
  const value = key === undefined ? undefined : info[key]
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined
}

/** `/api/chat` answers in `message.content`, `/api/generate` in `response`. */
function textOf(line: Record<string, unknown>): string {
  const text = line['response'] ?? asRecord(line['message'])['content'] ?? ''
  if (typeof text !== 'string') throw new OllamaFailedError('its answer is garbled')
  return text
}

function endOf(line: Record<string, unknown>): LanguageEnd {
  const count = (name: string): number => {
    const value = line[name] ?? 0
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new OllamaFailedError('its counts are garbled')
    return value
  }
  const finishReason = line['done_reason'] === 'length' ? 'length' : 'stop'
  return { type: 'end', finishReason, promptTokens: count('prompt_eval_count'), completionTokens: count('eval_count') }
}
