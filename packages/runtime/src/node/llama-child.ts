// The process that holds llama.cpp. It talks to its parent over descriptor 3 and ends as soon as that closes; a second
// thread watches descriptor 0 for the case that this one is stuck in native code when the parent disappears.
import { Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { readFrames, writeFrame } from './frames.ts'
import { embedText } from './llama-embed.ts'
import { generate } from './llama-generate.ts'
import {
  type ChildMessage,
  encodeVector,
  eventWindow,
  type ParentMessage,
  type Refusal,
  replyLimitBytes,
  requestLimitBytes,
} from './llama-messages.ts'
import { type LoadedModel, openModel, RefusedError } from './llama-model.ts'
import { promptTokens } from './llama-prompt.ts'

const watchdog = `
const { Socket } = require('node:net')
const end = () => process.kill(process.pid, 'SIGKILL')
new Socket({ fd: 0, readable: true, writable: false }).on('end', end).on('close', end).on('error', end).resume()`
new Worker(watchdog, { eval: true, stdin: false, stdout: false, stderr: false }).unref()

const channel = new Socket({ fd: 3, readable: true, writable: true })
/** What is sent: vectors as text. */
type SentMessage = Exclude<ChildMessage, { type: 'embedded' }> | { readonly type: 'embedded'; readonly id: number; readonly vector: string }

let loaded: LoadedModel | undefined
let running: { readonly id: number; cancelled: boolean; credits: number; wake: () => void } | undefined

const send = (message: SentMessage): void => {
  writeFrame(channel, message, replyLimitBytes)
}

readFrames(channel, requestLimitBytes, {
  // The parent is trusted: it started this process.
  onMessage: (message) => void handle(message as ParentMessage),
  onEnd: () => process.kill(process.pid, 'SIGKILL'),
})

async function handle(message: ParentMessage): Promise<void> {
  if (message.type === 'open') return open(message)
  if (message.type === 'count') return count(message)
  if (message.type === 'generate') return run(message)
  if (message.type === 'embed') return embed(message)
  if (running?.id !== message.id) return
  if (message.type === 'cancel') running.cancelled = true
  else running.credits += message.events
  running.wake()
}

async function open(message: Extract<ParentMessage, { type: 'open' }>): Promise<void> {
  try {
    loaded = await openModel(message)
    send({ type: 'ready', facts: loaded.facts })
  } catch (error) {
    send({ type: 'refused', refusal: refusalOf(error) })
  }
}

function count({ id, input }: Extract<ParentMessage, { type: 'count' }>): void {
  try {
    send({ type: 'counted', id, tokens: promptTokens(model(), input).length })
  } catch (error) {
    send({ type: 'failed', id, refusal: refusalOf(error) })
  }
}

async function embed({ id, text }: Extract<ParentMessage, { type: 'embed' }>): Promise<void> {
  try {
    send({ type: 'embedded', id, vector: encodeVector(await embedText(model(), text)) })
  } catch (error) {
    send({ type: 'failed', id, refusal: refusalOf(error) })
  }
}

async function run({ id, request }: Extract<ParentMessage, { type: 'generate' }>): Promise<void> {
  const job = { id, cancelled: false, credits: eventWindow, wake: () => {} }
  running = job
  try {
    const result = await generate(model(), request, {
      text: async (text, tokens) => {
        while (job.credits === 0 && !job.cancelled) await new Promise<void>((resolve) => (job.wake = resolve))
        job.credits--
        send({ type: 'text', id, text, tokens })
      },
      progress: () => send({ type: 'progress', id }),
      cancelled: () => job.cancelled,
    })
    send(result === undefined ? { type: 'cancelled', id } : { type: 'end', id, ...result })
  } catch (error) {
    send({ type: 'failed', id, refusal: refusalOf(error) })
  } finally {
    if (running === job) running = undefined
  }
}

function model(): LoadedModel {
  if (loaded === undefined) throw new RefusedError({ reason: 'native', detail: 'no model is open' })
  return loaded
}

/** Messages of native errors may quote what they worked on, so they stay here. */
function refusalOf(error: unknown): Refusal {
  return error instanceof RefusedError ? error.refusal : { reason: 'native', detail: 'llama.cpp reported an error' }
}
