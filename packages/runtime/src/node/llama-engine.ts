// llama.cpp as a language engine: a supervised child process, one slot, a bounded queue before it.
import { availableParallelism } from 'node:os'
import type { EngineHealth, LanguageEngine, ModelDigest } from '../engine.ts'
import { EngineClosedError, EngineStartError } from '../errors.ts'
import { assertLanguageInput, assertLanguageRequest, inputOf } from '../language-request.ts'
import { formatProfile } from '../profile.ts'
import { slotQueue } from '../slot-queue.ts'
import type { ModelFacts, OpenModel } from './llama-messages.ts'
import { type LlamaProcess, startLlamaProcess } from './llama-process.ts'

/** What to open, and within which limits. */
export type LlamaEngineOptions = {
  /** A GGUF file. */
  readonly file: string
  /** Refuse any other bytes. Without it the digest that was found is pinned for every restart. */
  readonly digest?: ModelDigest
  /** At most this many; less when the model was trained for less. Memory grows with it. */
  readonly contextTokens?: number
  /** Worker threads of llama.cpp, capped at the cores of the machine. They spin: more than are really free makes it far slower. */
  readonly threads?: number
  /** Requests that may wait for the one that runs. */
  readonly queueLimit?: number
  readonly startTimeoutMs?: number
  readonly stallTimeoutMs?: number
  readonly cancelTimeoutMs?: number
  /** First delay before a crashed child is started again; it doubles up to 30 s and falls back after a minute of health. */
  readonly restartDelayMs?: number
  /** What every face must say beside the answers. */
  readonly notice?: string
  readonly signal?: AbortSignal
}

/** The engine, and the process that carries it now (for `doctor` and for tests that kill it). */
export type LlamaEngine = LanguageEngine & { readonly childPid: number | undefined }

const longestRestartDelayMs = 30_000
const healthyAfterMs = 60_000
const batchTokens = 128
const defaultStallTimeoutMs = 60_000

/**
 * Opens a GGUF file with llama.cpp in a child process of its own. Nothing is compiled or downloaded.
 *
 * @example
 * await using engine = await openLlamaEngine({ file: 'zoo/language/babble-q8_0.gguf' })
 * for await (const event of engine.generate({ prompt: 'The ', maxTokens: 40, temperature: 0.8, seed: 1 }))
 *   if (event.type === 'text') process.stdout.write(event.text)
 *
 * @throws ModelNotFoundError, ModelMalformedError, DigestMismatchError, ModelChangedError, PlatformUnsupportedError, EngineStartError
 */
export async function openLlamaEngine(options: LlamaEngineOptions): Promise<LlamaEngine> {
  const open: OpenModel = {
    file: options.file,
    ...(options.digest === undefined ? {} : { digest: options.digest }),
    contextTokens: options.contextTokens ?? 4096,
    batchTokens,
    threads: Math.max(1, Math.min(options.threads ?? 1, availableParallelism())),
  }
  const startTimeoutMs = options.startTimeoutMs ?? 120_000
  const first = await startLlamaProcess(open, { startTimeoutMs, ...(options.signal ? { signal: options.signal } : {}) })
  const pinned: OpenModel = { ...open, digest: first.facts.digest }
  return new SupervisedLlama(first, options, () => startLlamaProcess(pinned, { startTimeoutMs }))
}

class SupervisedLlama implements LlamaEngine {
  readonly kind = 'language'
  readonly info: LanguageEngine['info']
  readonly modelDigest: ModelDigest
  readonly contextTokens: number
  readonly notice?: string
  readonly #options: LlamaEngineOptions
  readonly #start: () => Promise<LlamaProcess>
  readonly #slots: ReturnType<typeof slotQueue>
  readonly #closing = new AbortController()
  /** The process in service, or the promise of the next one. */
  #service: Promise<LlamaProcess>
  #current: LlamaProcess | undefined
  #status: EngineHealth['status'] = 'ready'
  #detail: string | undefined
  #restarts = 0
  #delayMs: number

  constructor(first: LlamaProcess, options: LlamaEngineOptions, start: () => Promise<LlamaProcess>) {
    this.#options = options
    this.#start = start
    this.#slots = slotQueue({ slots: 1, queueLimit: options.queueLimit ?? 8 })
    this.#delayMs = options.restartDelayMs ?? 100
    this.info = { engine: 'llama.cpp', build: first.facts.build, profile: profileOf(first.facts), identity: 'file' }
    this.modelDigest = first.facts.digest
    this.contextTokens = first.facts.contextTokens
    if (options.notice !== undefined) this.notice = options.notice
    this.#service = this.#serve(first)
  }

  get childPid(): number | undefined {
    return this.#current?.pid
  }

  async health(): Promise<EngineHealth> {
    return {
      status: this.#status,
      running: this.#slots.running,
      queued: this.#slots.queued,
      restarts: this.#restarts,
      ...(this.#detail === undefined ? {} : { detail: this.#detail }),
    }
  }

  async countTokens(...[input, { signal } = {}]: Parameters<LanguageEngine['countTokens']>): Promise<number> {
    assertLanguageInput(input)
    const service = await this.#ready(signal)
    return abortable(service.count(inputOf(input), this.#options.stallTimeoutMs ?? defaultStallTimeoutMs), signal)
  }

  async *generate(...[request, { signal } = {}]: Parameters<LanguageEngine['generate']>): ReturnType<LanguageEngine['generate']> {
    assertLanguageRequest(request)
    const joined = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    const release = await this.#slots.acquire(joined)
    let service: LlamaProcess
    try {
      service = await this.#ready(joined)
    } catch (error) {
      release()
      throw error
    }
    const { maxTokens, temperature, topP = 1, seed, stop = [] } = request
    yield* service.generate(
      { input: inputOf(request), maxTokens, temperature, topP, seed, stop },
      {
        signal: joined,
        stallTimeoutMs: this.#options.stallTimeoutMs ?? defaultStallTimeoutMs,
        cancelTimeoutMs: this.#options.cancelTimeoutMs ?? 10_000,
        settled: release,
      },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#status === 'closed') return
    this.#status = 'closed'
    this.#closing.abort(new EngineClosedError())
    const current = this.#current
    current?.kill()
    await current?.exited
  }

  #ready(signal: AbortSignal | undefined): Promise<LlamaProcess> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason)
    return abortable(this.#service, signal)
  }

  #serve(process: LlamaProcess): Promise<LlamaProcess> {
    this.#current = process
    this.#status = 'ready'
    this.#detail = undefined
    const since = performance.now()
    void process.exited.then((how) => {
      this.#current = undefined
      if (this.#closing.signal.aborted) return
      if (performance.now() - since > healthyAfterMs) this.#delayMs = this.#options.restartDelayMs ?? 100
      this.#detail = `the last process ended with ${how}`
      this.#service = this.#restart()
      // Whoever needs the service sees the failure; nobody else has to.
      this.#service.catch(() => {})
    })
    return Promise.resolve(process)
  }

  /** Tries until it works, ever more slowly. A file that is no longer the pinned one will not become it again. */
  async #restart(): Promise<LlamaProcess> {
    this.#status = 'restarting'
    for (;;) {
      await pause(this.#delayMs, this.#closing.signal)
      this.#delayMs = Math.min(2 * this.#delayMs, longestRestartDelayMs)
      try {
        const process = await this.#start()
        if (this.#closing.signal.aborted) {
          process.kill()
          throw new EngineClosedError()
        }
        this.#restarts++
        return this.#serve(process)
      } catch (error) {
        if (error instanceof EngineStartError) continue
        if (!this.#closing.signal.aborted) this.#status = 'failed'
        this.#detail = error instanceof Error ? error.message : 'unknown'
        throw error
      }
    }
  }
}

function profileOf(facts: ModelFacts): string {
  return formatProfile({
    engine: 'llama.cpp',
    build: facts.build,
    model: facts.digest,
    tokenizer: facts.tokenizerHash,
    template: facts.templateHash,
    kv: 'f16',
    flash: 'off',
    sampler: 'top_p+temp+dist',
    context: facts.contextTokens,
    batch: batchTokens,
    threads: facts.threads,
  })
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout
  return abortable(new Promise<void>((resolve) => (timer = setTimeout(resolve, ms))), signal).finally(() => clearTimeout(timer))
}
