import { TacitError, type TacitErrorOptions } from '@tacit/protocol'

/** The base of everything this package throws. */
export abstract class RuntimeError<Code extends `runtime.${string}` = `runtime.${string}`> extends TacitError<Code> {}

/** The prompt leaves no room for an answer; nothing was cut and nothing was run. */
export class ContextExceededError extends RuntimeError<'runtime.context-exceeded'> {
  readonly promptTokens: number
  readonly contextTokens: number
  constructor(facts: { readonly promptTokens: number; readonly contextTokens: number }) {
    super('runtime.context-exceeded', 'The prompt is longer than the context of the model.', {
      details: [`Prompt: ${facts.promptTokens} tokens`, `Context: ${facts.contextTokens} tokens, at least one of them for the answer`],
    })
    this.promptTokens = facts.promptTokens
    this.contextTokens = facts.contextTokens
  }
}

/** A request that no engine could serve: a count, temperature, seed or stop string out of range. */
export class InvalidRequestError extends RuntimeError<'runtime.invalid-request'> {
  constructor(reason: string) {
    super('runtime.invalid-request', `The request cannot be run: ${reason}.`)
  }
}

/** A tensor is missing, extra, or of another type or shape than the model takes. */
export class InputMismatchError extends RuntimeError<'runtime.input-mismatch'> {
  constructor(reason: string) {
    super('runtime.input-mismatch', `The input does not fit the model: ${reason}.`)
  }
}

/** The model's own chat template refused the messages, or there is none. */
export class ChatTemplateError extends RuntimeError<'runtime.chat-template'> {
  constructor(reason: string) {
    super('runtime.chat-template', `These messages cannot be put into the model's chat template: ${reason}.`)
  }
}

/** All slots are taken and the queue is full. */
export class EngineBusyError extends RuntimeError<'runtime.engine-busy'> {
  constructor(facts: { readonly queueLimit: number }) {
    super('runtime.engine-busy', 'The engine is busy and its queue is full.', { details: [`Queue limit: ${facts.queueLimit}`] })
  }
}

/** The engine's process died while it worked on this request. */
export class EngineCrashedError extends RuntimeError<'runtime.engine-crashed'> {
  constructor(exit: string) {
    super('runtime.engine-crashed', 'The engine crashed while it worked on this request; it is being restarted.', {
      details: [`Exit: ${exit}`],
    })
  }
}

/** The engine reported an error of its own while it worked on this request; it goes on serving others. */
export class EngineFailedError extends RuntimeError<'runtime.engine-failed'> {
  constructor(reason: string) {
    super('runtime.engine-failed', `The engine could not finish this request: ${reason}.`)
  }
}

/** The engine showed no progress for too long and was killed. */
export class EngineHungError extends RuntimeError<'runtime.engine-hung'> {
  constructor(facts: { readonly stallTimeoutMs: number }) {
    super('runtime.engine-hung', 'The engine stopped making progress and was killed; it is being restarted.', {
      details: [`No progress for ${facts.stallTimeoutMs} ms`],
    })
  }
}

/** The engine could not be started. */
export class EngineStartError extends RuntimeError<'runtime.engine-start'> {
  constructor(reason: string, options: TacitErrorOptions = {}) {
    super('runtime.engine-start', `The engine did not start: ${reason}.`, options)
  }
}

/** The engine was closed by its owner. */
export class EngineClosedError extends RuntimeError<'runtime.engine-closed'> {
  constructor() {
    super('runtime.engine-closed', 'The engine was closed.')
  }
}

/** There is no engine build for this platform. */
export class PlatformUnsupportedError extends RuntimeError<'runtime.platform-unsupported'> {
  constructor(platform: string) {
    super('runtime.platform-unsupported', `There is no prebuilt llama.cpp for ${platform}.`)
  }
}

/** No such model file, or no such name in the store. */
export class ModelNotFoundError extends RuntimeError<'runtime.model-not-found'> {
  constructor(name: string) {
    super('runtime.model-not-found', `There is no model at ${name}.`)
  }
}

/** The file is not what it says it is. */
export class ModelMalformedError extends RuntimeError<'runtime.model-malformed'> {
  constructor(file: string, reason: string) {
    super('runtime.model-malformed', `${file} is not a usable model: ${reason}.`)
  }
}

/** The store has another model under that name. */
export class ModelNameTakenError extends RuntimeError<'runtime.model-name-taken'> {
  constructor(name: string) {
    super('runtime.model-name-taken', `The name ${name} already belongs to another model; choose a different one.`)
  }
}

/** The bytes that were opened are not the pinned ones. */
export class DigestMismatchError extends RuntimeError<'runtime.digest-mismatch'> {
  readonly expected: string
  readonly actual: string
  constructor(facts: { readonly expected: string; readonly actual: string }) {
    super('runtime.digest-mismatch', 'The model file is not the one that was pinned.', {
      details: [`Pinned: ${facts.expected}`, `Opened: ${facts.actual}`],
    })
    this.expected = facts.expected
    this.actual = facts.actual
  }
}

/** The model file was written to between hashing and loading. */
export class ModelChangedError extends RuntimeError<'runtime.model-changed'> {
  constructor(file: string) {
    super('runtime.model-changed', `${file} changed while it was being opened; nothing of it is used.`)
  }
}

/** No Ollama answers at that address. */
export class OllamaUnreachableError extends RuntimeError<'runtime.ollama-unreachable'> {
  constructor(address: string, options: TacitErrorOptions = {}) {
    super('runtime.ollama-unreachable', `No Ollama answers at ${address}.`, options)
  }
}

/** Ollama answered with an error, or broke off or garbled its answer. */
export class OllamaFailedError extends RuntimeError<'runtime.ollama-failed'> {
  constructor(reason: string) {
    super('runtime.ollama-failed', `Ollama did not complete the request: ${reason}.`)
  }
}

/** The model runs on a server of Ollama's makers: prompts would leave this machine. */
export class OllamaRemoteModelError extends RuntimeError<'runtime.ollama-remote-model'> {
  constructor(model: string) {
    super('runtime.ollama-remote-model', `${model} does not run on this machine; Ollama would forward prompts to a remote server.`)
  }
}
