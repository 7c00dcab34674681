// Runs a chat request and answers it in OpenAI's shapes, whole or as server-sent events.
import type { InferEvent, TacitClient } from '@tacit/client'
import type { HttpResponse } from '@tacit/network/node'
import { apiError } from './api-error.ts'
import type { ChatRequest } from './chat-request.ts'
import { RequestError } from './errors.ts'

type Usage = { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number }
type Receipt = Extract<InferEvent, { type: 'receipt' }>
type Answered = Extract<InferEvent, { type: 'answered' }>

/** The receipt of a whole answer, and the job of a streamed one, which is in its receipt: both find it at `/v1/receipts/:id`. */
export const receiptHeader = 'x-receipt-id'

export async function completeChat(client: TacitClient, chat: ChatRequest, signal: AbortSignal): Promise<HttpResponse> {
  await assertLanguageModel(client, chat.model)
  return chat.stream ? streamed(client, chat, signal) : whole(client, chat, signal)
}

async function assertLanguageModel(client: TacitClient, name: string): Promise<void> {
  const { card } = await client.model(name)
  if (card !== null && card.kind !== 'language')
    throw new RequestError(400, 'model_not_supported', `${name} is not a language model.`, 'model')
}

async function whole(client: TacitClient, chat: ChatRequest, signal: AbortSignal): Promise<HttpResponse> {
  let text = ''
  let notice = ''
  let answered: Answered | undefined
  let receipt: Receipt | undefined
  for await (const event of client.infer(chat.request, { signal })) {
    if (event.type === 'output' && event.output.kind === 'text') text += event.output.text
    if (event.type === 'restarted') text = ''
    if (event.type === 'notice') notice = event.notice
    if (event.type === 'answered') answered = event
    if (event.type === 'receipt') receipt = event
  }
  if (answered === undefined || receipt === undefined) throw new Error('unreachable: an answer ends with its receipt')
  const { job } = answered.result.receipt.document
  return {
    headers: { [receiptHeader]: receipt.id },
    json: {
      ...envelope(job, chat, 'chat.completion'),
      choices: [
        { index: 0, message: { role: 'assistant', content: text, refusal: null }, logprobs: null, finish_reason: finishReason(answered) },
      ],
      usage: usageOf(answered),
      provider: { ...provider(answered, receipt), notice },
    },
  }
}

async function streamed(client: TacitClient, chat: ChatRequest, signal: AbortSignal): Promise<HttpResponse> {
  // Failures before the first part become a proper error; so the head waits until the worker has accepted.
  const events = client.infer(chat.request, { signal })
  const early: InferEvent[] = []
  let job = ''
  for (;;) {
    const next = await events.next()
    if (next.done) break
    early.push(next.value)
    if (next.value.type === 'started') job = next.value.job
    if (next.value.type === 'output' || next.value.type === 'answered') break
  }
  return {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', [receiptHeader]: job },
    stream: serverSentEvents(chat, job, resume(early, events)),
  }
}

async function* resume(
  early: readonly InferEvent[],
  rest: AsyncGenerator<InferEvent, void, undefined>,
): AsyncGenerator<InferEvent, void, undefined> {
  yield* early
  yield* rest
}

async function* serverSentEvents(
  chat: ChatRequest,
  job: string,
  events: AsyncIterable<InferEvent>,
): AsyncGenerator<string, void, undefined> {
  const base = envelope(job, chat, 'chat.completion.chunk')
  const chunk = (delta: object, finish: string | null, extra: object = {}): string =>
    frame({
      ...base,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...(chat.includeUsage ? { usage: null } : {}),
      ...extra,
    })
  yield chunk({ role: 'assistant', content: '' }, null)
  let answered: Answered | undefined
  try {
    for await (const event of events) {
      if (event.type === 'output' && event.output.kind === 'text') yield chunk({ content: event.output.text }, null)
      if (event.type === 'restarted')
        throw new RequestError(502, 'worker_failed', `${event.reason} The answer cannot be continued by another worker; ask again.`)
      if (event.type === 'answered') answered = event
      if (event.type === 'receipt' && answered !== undefined) {
        yield chunk({}, finishReason(answered), { provider: provider(answered, event) })
        if (chat.includeUsage) yield frame({ ...base, choices: [], usage: usageOf(answered) })
      }
    }
    yield 'data: [DONE]\n\n'
  } catch (error) {
    yield frame(apiError(error).body)
  }
}

const frame = (value: object): string => `data: ${JSON.stringify(value)}\n\n`

function envelope(
  job: string,
  chat: ChatRequest,
  object: string,
): { readonly id: string; readonly object: string; readonly created: number; readonly model: string } {
  return { id: `chatcmpl-${job.slice(2, 26)}`, object, created: Math.floor(Date.now() / 1000), model: chat.model }
}

function usageOf({ result }: Answered): Usage {
  return { prompt_tokens: result.inputUnits, completion_tokens: result.outputUnits, total_tokens: result.inputUnits + result.outputUnits }
}

function finishReason({ result }: Answered): 'stop' | 'length' {
  return result.receipt.document.delivered.finishReason === 'length' ? 'length' : 'stop'
}

function provider({ result, price }: Answered, { id, verification }: Receipt): object {
  const { ordered, worker } = result.receipt.document
  return {
    receipt: id,
    verified: verification.exitCode === 0,
    price: price.toString(),
    worker,
    privacy: ordered.privacy,
    verification: ordered.verification,
    stream: ordered.streamMode,
  }
}
