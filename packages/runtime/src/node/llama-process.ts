// One life of the child process: start it, talk to it, notice its end.
import { spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { LanguageEnd, LanguageInput, LanguageText } from '../engine.ts'
import { EngineCrashedError, EngineHungError, EngineStartError, InvalidRequestError, type RuntimeError } from '../errors.ts'
import { readFrames, writeFrame } from './frames.ts'
import {
  type ChildMessage,
  type ChildRequest,
  eventWindow,
  type ModelFacts,
  type OpenModel,
  type ParentMessage,
  parseChildMessage,
  replyLimitBytes,
  requestLimitBytes,
} from './llama-messages.ts'
import { openingError, requestError } from './llama-refusal.ts'

/** A started child with its model open. */
export type LlamaProcess = {
  readonly pid: number
  readonly facts: ModelFacts
  /** Settles when the process has ended, whatever the reason; says how. */
  readonly exited: Promise<string>
  /** Without an answer within the time the process is killed. */
  count(input: LanguageInput, timeoutMs: number): Promise<number>
  /** The vector of a text; only for a model that was opened for embeddings. One at a time. */
  embed(text: string, timeoutMs: number): Promise<Float64Array>
  generate(request: ChildRequest, limits: GenerateLimits): AsyncGenerator<LanguageText | LanguageEnd, void, void>
  kill(): void
}

/** Patience with one request. */
export type GenerateLimits = {
  readonly signal: AbortSignal | undefined
  /** Without any sign of life for this long, the process is killed. */
  readonly stallTimeoutMs: number
  /** How long a cancelled request may take to stop before the process is killed. */
  readonly cancelTimeoutMs: number
  /** Called once when the child no longer works on the request. */
  readonly settled: () => void
}

/** Patience with a start. */
export type StartLimits = { readonly startTimeoutMs: number; readonly signal?: AbortSignal }

/** @throws RuntimeError naming why the model cannot be opened, or EngineStartError. */
export async function startLlamaProcess(open: OpenModel, limits: StartLimits): Promise<LlamaProcess> {
  limits.signal?.throwIfAborted()
  const entry = import.meta.url.endsWith('.ts') ? './llama-child.ts' : './llama-child.js'
  const child = spawn(process.execPath, ['--no-warnings', fileURLToPath(new URL(entry, import.meta.url))], {
    // 0 and 3 tell the child that this process lives. Nothing that native code prints is kept: it might quote a prompt.
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    // Nothing of our environment: variables change what native code does, and may hold secrets.
    env: {},
  })
  const channel = child.stdio[3] as Duplex
  const listeners = new Map<number, (message: ChildMessage) => void>()
  const kill = (): void => void child.kill('SIGKILL')
  child.stdin?.on('error', () => {})

  const exited = new Promise<string>((resolve) => {
    child.once('error', () => resolve('could not be started'))
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`))
  })
  let opened: (message: ChildMessage) => void = () => {}
  readFrames(channel, replyLimitBytes, {
    onMessage(raw) {
      const message = parseChildMessage(raw)
      if (message === undefined) return kill()
      if (message.type === 'ready' || message.type === 'refused') opened(message)
      else listeners.get(message.id)?.(message)
    },
    onEnd: kill,
  })
  const send = (message: ParentMessage): boolean => writeFrame(channel, message, requestLimitBytes)

  const facts = await new Promise<ModelFacts>((resolve, reject) => {
    const fail = (error: unknown): void => {
      kill()
      reject(error)
    }
    const timer = setTimeout(
      () => fail(new EngineStartError(`nothing was loaded within ${limits.startTimeoutMs} ms`)),
      limits.startTimeoutMs,
    )
    const aborted = (): void => fail(limits.signal?.reason)
    limits.signal?.addEventListener('abort', aborted, { once: true })
    opened = (message) => {
      clearTimeout(timer)
      limits.signal?.removeEventListener('abort', aborted)
      if (message.type === 'ready') resolve(message.facts)
      else if (message.type === 'refused') fail(openingError(message.refusal, open))
    }
    void exited.then((how) => {
      clearTimeout(timer)
      reject(new EngineStartError(`its process ended while it loaded the model (${how})`))
    })
    send({ type: 'open', ...open })
  })

  let nextId = 1
  const crashed = exited.then((how) => new EngineCrashedError(how))
  const refused = (message: Extract<ChildMessage, { type: 'failed' }>): RuntimeError => requestError(message.refusal)

  // One question, one answer; a child that stays silent is killed.
  const ask = async (question: (id: number) => ParentMessage, timeoutMs: number): Promise<ChildMessage> => {
    const id = nextId++
    const reply = new Promise<ChildMessage>((resolve) => listeners.set(id, resolve))
    const timer = setTimeout(kill, timeoutMs)
    try {
      if (!send(question(id))) throw tooLong()
      const message = await Promise.race([reply, crashed])
      if (message instanceof EngineCrashedError) throw message
      if (message.type === 'failed') throw refused(message)
      return message
    } finally {
      clearTimeout(timer)
      listeners.delete(id)
    }
  }

  return {
    pid: child.pid ?? 0,
    facts,
    exited,
    kill,
    async count(input, timeoutMs) {
      const message = await ask((id) => ({ type: 'count', id, input }), timeoutMs)
      return message.type === 'counted' ? message.tokens : 0
    },
    async embed(text, timeoutMs) {
      const message = await ask((id) => ({ type: 'embed', id, text }), timeoutMs)
      if (message.type !== 'embedded') throw new EngineCrashedError('it answered something else')
      return message.vector
    },
    async *generate(request, { signal, stallTimeoutMs, cancelTimeoutMs, settled }) {
      const id = nextId++
      const arrived: ChildMessage[] = []
      let wake: () => void = () => {}
      let over = false
      let dead: EngineCrashedError | undefined
      const finish = (): void => {
        if (over) return
        over = true
        listeners.delete(id)
        settled()
      }
      listeners.set(id, (message) => {
        // Progress is a sign of life and nothing to hand on.
        if (message.type !== 'progress') arrived.push(message)
        if (arrived.length > 2 * eventWindow) kill()
        if (message.type === 'end' || message.type === 'failed' || message.type === 'cancelled') finish()
        wake()
      })
      void crashed.then((error) => {
        dead = error
        finish()
        wake()
      })
      const abort = (): void => wake()
      signal?.addEventListener('abort', abort, { once: true })
      let hung = false
      let sent = false
      try {
        signal?.throwIfAborted()
        sent = send({ type: 'generate', id, request })
        if (!sent) throw tooLong()
        for (;;) {
          while (arrived.length === 0) {
            if (signal?.aborted) throw signal.reason
            if (hung) throw new EngineHungError({ stallTimeoutMs })
            if (dead) throw dead
            await new Promise<void>((resolve) => {
              const timer = setTimeout(() => {
                hung = true
                kill()
                resolve()
              }, stallTimeoutMs)
              wake = () => {
                clearTimeout(timer)
                resolve()
              }
            })
          }
          if (signal?.aborted) throw signal.reason
          const message = arrived.shift()
          if (message?.type === 'failed') throw refused(message)
          if (message?.type === 'text') {
            yield { type: 'text', text: message.text, tokens: message.tokens }
            if (!over) send({ type: 'credit', id, events: 1 })
          }
          if (message?.type === 'end') {
            const { finishReason, promptTokens, completionTokens } = message
            yield { type: 'end', finishReason, promptTokens, completionTokens }
            return
          }
        }
      } finally {
        signal?.removeEventListener('abort', abort)
        if (!sent) finish()
        if (!over) {
          send({ type: 'cancel', id })
          const timer = setTimeout(() => over || kill(), cancelTimeoutMs)
          timer.unref()
        }
      }
    },
  }
}

function tooLong(): InvalidRequestError {
  return new InvalidRequestError('it is larger than any prompt can be')
}
