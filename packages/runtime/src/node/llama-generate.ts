// Child side: prefill, then one token after the other. Every request starts from an empty key-value cache and a new
// sampler, so that an answer depends on the request, the model and the profile, and on nothing that was asked before.
import { stopText } from '../stop-text.ts'
import { wholeText } from '../whole-text.ts'
import type { ChildRequest } from './llama-messages.ts'
import { type LoadedModel, RefusedError } from './llama-model.ts'
import { promptTokens } from './llama-prompt.ts'

const sequence = 0

/** How a running request talks to whoever asked. */
export type GenerateEvents = {
  /** Resolves when the parent has room for one more text event. */
  readonly text: (text: string, tokens: number) => Promise<void>
  readonly progress: () => void
  readonly cancelled: () => boolean
}

/** How an answer ended. */
export type Generated = { readonly finishReason: 'stop' | 'length'; readonly promptTokens: number; readonly completionTokens: number }

/** Runs one request; undefined when it was cancelled. */
export async function generate(loaded: LoadedModel, request: ChildRequest, events: GenerateEvents): Promise<Generated | undefined> {
  const { addon, model, context, facts } = loaded
  const prompt = promptTokens(loaded, request.input)
  if (prompt.length === 0) throw new RefusedError({ reason: 'invalid', detail: 'there is nothing to continue' })
  if (prompt.length >= facts.contextTokens) {
    throw new RefusedError({ reason: 'context', promptTokens: prompt.length, contextTokens: facts.contextTokens })
  }
  context.disposeSequence(sequence)
  let logits = await prefill(loaded, prompt, events)
  if (logits === undefined) return undefined

  const sampler = new addon.AddonSampler(model)
  try {
    sampler.applyConfig({ temperature: request.temperature, topP: request.topP, seed: request.seed })
    const limit = Math.min(request.maxTokens, facts.contextTokens - prompt.length)
    const whole = wholeText((tokens) => model.detokenize(Uint32Array.from(tokens), false))
    const stops = stopText(request.stop)
    let completionTokens = 0
    let unreported = 0
    const emit = async (text: string): Promise<void> => {
      if (text === '') return
      await events.text(text, unreported)
      unreported = 0
    }
    for (;;) {
      if (events.cancelled()) return undefined
      const token: number = await context.sampleToken(logits, sampler)
      if (token < 0) throw new RefusedError({ reason: 'native', detail: 'no token could be sampled' })
      if (model.isEogToken(token)) break
      completionTokens++
      unreported++
      const { text, stopped } = stops.push(whole.push(token))
      await emit(text)
      if (stopped) return { finishReason: 'stop', promptTokens: prompt.length, completionTokens }
      if (text === '') events.progress()
      if (completionTokens >= limit) {
        await emit(last(whole.end(), stops))
        return { finishReason: 'length', promptTokens: prompt.length, completionTokens }
      }
      context.initBatch(1)
      logits = first(context.addToBatch(sequence, prompt.length + completionTokens - 1, Uint32Array.of(token), Uint32Array.of(0)))
      await context.decodeBatch()
    }
    await emit(last(whole.end(), stops))
    return { finishReason: 'stop', promptTokens: prompt.length, completionTokens }
  } finally {
    sampler.dispose()
  }
}

/** Feeds the prompt in batches; the index of the logits after its last token, or undefined when cancelled. */
async function prefill(
  { context, batchTokens }: LoadedModel,
  prompt: readonly number[],
  events: GenerateEvents,
): Promise<number | undefined> {
  for (let start = 0; ; start += batchTokens) {
    if (events.cancelled()) return undefined
    const batch = Uint32Array.from(prompt.slice(start, start + batchTokens))
    const isLast = start + batch.length >= prompt.length
    context.initBatch(batch.length)
    const indexes = context.addToBatch(sequence, start, batch, isLast ? Uint32Array.of(batch.length - 1) : new Uint32Array(0))
    await context.decodeBatch()
    if (isLast) return first(indexes)
    events.progress()
  }
}

function last(rest: string, stops: ReturnType<typeof stopText>): string {
  const { text, stopped } = stops.push(rest)
  return stopped ? text : text + stops.end()
}

function first(indexes: Uint32Array): number {
  const index = indexes[0]
  if (index === undefined) throw new RefusedError({ reason: 'native', detail: 'the batch has no logits' })
  return index
}
