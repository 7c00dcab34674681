// A language engine as a served model: chat in, text out, priced by output tokens.
import type { JobInput } from '@tacit/exchange'
import type { LanguageEngine, LanguageRequest } from '@tacit/runtime'
import type { Preflight, RunEvent, ServedModel } from './served-model.ts'

/** What both kinds of models need to be served. */
export type ServedModelTerms = Pick<ServedModel, 'id' | 'name' | 'root' | 'stepPrice' | 'deadlineSeconds'>

const levels = [{ privacy: 'sealed', verification: 'signed' }] as const
/** Output tokens that one step pays for. */
const stepTokens = 32

export function serveLanguageEngine(engine: LanguageEngine, terms: ServedModelTerms): ServedModel {
  return {
    ...terms,
    stepTokens,
    maxSteps: Math.max(1, Math.ceil(engine.contextTokens / stepTokens)),
    levels,
    streamModes: ['paced', 'immediate'],
    notice: engine.notice ?? '',
    preflight: (input, { signal }) => preflight(engine, input, signal),
    run: (input, options) => run(engine, input, options),
  }
}

async function preflight(engine: LanguageEngine, input: JobInput, signal: AbortSignal): Promise<Preflight> {
  if (input.kind !== 'chat') return { ok: false, code: 'input-mismatch', message: 'this model takes a conversation, not tensors' }
  const tokens = await engine.countTokens({ messages: input.messages }, { signal })
  if (tokens < engine.contextTokens) return { ok: true }
  return {
    ok: false,
    code: 'context-exceeded',
    message: `the prompt has ${tokens} tokens, the model takes ${engine.contextTokens - 1}; nothing was cut`,
  }
}

async function* run(
  engine: LanguageEngine,
  input: JobInput,
  options: { readonly maxTokens: number; readonly signal: AbortSignal },
): AsyncGenerator<RunEvent, void, undefined> {
  if (input.kind !== 'chat') return
  const request: LanguageRequest = {
    messages: input.messages,
    maxTokens: options.maxTokens,
    temperature: input.temperatureMilli / 1000,
    topP: input.topPMilli / 1000,
    seed: input.seed,
    ...(input.stop.length === 0 ? {} : { stop: input.stop }),
  }
  for await (const event of engine.generate(request, { signal: options.signal })) {
    if (event.type === 'text') yield { type: 'output', output: { kind: 'text', text: event.text }, tokens: event.tokens }
    else {
      const { finishReason, promptTokens, completionTokens } = event
      yield {
        type: 'end',
        finishReason,
        inputUnits: promptTokens,
        outputUnits: completionTokens,
        profile: engine.info.profile,
        traceRoot: null,
      }
    }
  }
}
