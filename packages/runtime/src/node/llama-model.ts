// Child side: opens a GGUF file, checks it, and has llama.cpp load exactly the bytes that were hashed.
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { GgufHeader, GgufValue } from '../gguf.ts'
import { readGgufFile } from './gguf-file.ts'
import { type AddonContext, type AddonModel, errorLogLevel, type LlamaAddon, loadLlamaAddon } from './llama-addon.ts'
import type { ModelFacts, OpenModel, Refusal } from './llama-messages.ts'
import { openPinned, type PinnedFile } from './pinned-file.ts'

/** A model in memory with one context of one sequence. */
export type LoadedModel = {
  readonly addon: LlamaAddon
  readonly model: AddonModel
  readonly context: AddonContext
  readonly facts: ModelFacts
  readonly batchTokens: number
  /** The model's own chat template, if it has one. */
  readonly template: string | undefined
}

/** Thrown inside the child only; it crosses to the parent as data. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.reason)
    this.refusal = refusal
  }
}

/** @throws RefusedError when the file is missing, not the pinned one, not GGUF, changed while loading, or refused by llama.cpp. */
export async function openModel(options: OpenModel): Promise<LoadedModel> {
  await using file = await openFile(options.file)
  if (options.digest !== undefined && file.digest !== options.digest) throw new RefusedError({ reason: 'digest', actual: file.digest })
  const { header, bytes } = await readHeader(file.handle)
  const native = loadLlamaAddon()
  if (native === undefined) throw new RefusedError({ reason: 'platform' })
  const { addon, build } = native
  const log = collectErrors(addon)
  await addon.init()
  // Not memory-mapped: later writes to the file must not reach the weights in use.
  const model = new addon.AddonModel(file.loadPath, { addonExports: addon, gpuLayers: 0, useMmap: false, checkTensors: true })
  if (!(await succeeds(model.init()))) throw new RefusedError({ reason: 'load', detail: await log.first() })
  if (!(await file.unchanged())) throw new RefusedError({ reason: 'changed' })
  const contextTokens = Math.min(options.contextTokens, model.getTrainContextSize())
  // A vector is pooled over the whole text, so the whole text is one batch.
  const batchTokens = options.embeddings ? contextTokens : Math.min(options.batchTokens, contextTokens)
  const context = new addon.AddonContext(model, {
    contextSize: contextTokens,
    batchSize: batchTokens,
    sequences: 1,
    threads: options.threads,
    flashAttention: false,
    ...(options.embeddings ? { embeddings: true } : {}),
  })
  if (!(await succeeds(context.init()))) throw new RefusedError({ reason: 'load', detail: await log.first() })
  log.close()
  const template = textOf(header.metadata.get('tokenizer.chat_template'))
  const facts: ModelFacts = {
    digest: file.digest,
    build,
    contextTokens,
    threads: options.threads,
    tokenizerHash: hashTokenizer(header, bytes),
    templateHash: template === undefined ? 'none' : sha256(template),
  }
  return { addon, model, context, facts, batchTokens, template }
}

async function openFile(path: string): Promise<PinnedFile> {
  try {
    return await openPinned(path)
  } catch {
    throw new RefusedError({ reason: 'not-found' })
  }
}

async function readHeader(handle: FileHandle): Promise<{ readonly header: GgufHeader; readonly bytes: Uint8Array }> {
  const file = await readGgufFile(handle)
  if (!file.ok) throw new RefusedError({ reason: 'malformed', detail: file.reason })
  return file
}

/** llama.cpp reports why it refuses a file only in its log. Nothing of a prompt exists yet while this listens. */
function collectErrors(addon: LlamaAddon): { first(): Promise<string>; close(): void } {
  const lines: string[] = []
  let open = true
  addon.setLogger((_level, message) => {
    if (open && lines.length < 8) lines.push(message.replace(/\s+/g, ' ').trim().slice(0, 200))
  })
  addon.setLoggerLogLevel(errorLogLevel)
  return {
    async first() {
      // Log lines arrive through the event loop.
      await new Promise((resolve) => setTimeout(resolve, 20))
      return lines.find((line) => line !== '') ?? 'llama.cpp gave no reason'
    },
    close() {
      open = false
      lines.length = 0
    },
  }
}

async function succeeds(step: Promise<boolean>): Promise<boolean> {
  try {
    return await step
  } catch {
    return false
  }
}

function textOf(value: GgufValue | undefined): string | undefined {
  return value?.kind === 'string' ? value.value : undefined
}

/** Everything that decides how text becomes tokens, as it lies in the file; the chat template is pinned on its own. */
function hashTokenizer(header: GgufHeader, bytes: Uint8Array): string {
  const hash = createHash('sha256')
  for (const [key, value] of header.metadata) {
    if (!key.startsWith('tokenizer.') || key === 'tokenizer.chat_template') continue
    hash.update(`${key}\n${value.end - value.start}\n`)
    hash.update(bytes.subarray(value.start, value.end))
  }
  return hash.digest('hex')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
