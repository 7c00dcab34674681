// Opens the engine behind a published model, and checks that the bytes it opened are the ones that were committed to.
import type { ModelDigest } from '@tacit/runtime'
import { openLlamaEngine, openOllamaEngine } from '@tacit/runtime/node'
import { serveLanguageEngine, type ServedModelTerms } from '../worker/language-model.ts'
import type { ServedModel } from '../worker/served-model.ts'
import { serveTensorEngine } from '../worker/tensor-model.ts'
import type { ModelConfig } from './roles/role-config.ts'

export type OpenedModel = { readonly served: ServedModel; readonly close: () => Promise<void> }

/** @throws DigestMismatchError when the file is not the committed one, and what the engines throw. */
export async function openServedModel({ card, source }: ModelConfig, terms: ServedModelTerms): Promise<OpenedModel> {
  const digest: ModelDigest = `sha256:${card.commitments.artifact.slice(2)}`
  if (source.kind === 'ollama') {
    const engine = await openOllamaEngine({
      model: source.model,
      digest,
      ...(source.address === undefined ? {} : { address: source.address }),
    })
    return { served: { ...serveLanguageEngine(engine, terms), notice: card.notice }, close: async () => engine[Symbol.asyncDispose]() }
  }
  if (card.format === 'gguf') {
    const engine = await openLlamaEngine({ file: source.path, digest, contextTokens: card.contextTokens, threads: 1, notice: card.notice })
    return { served: serveLanguageEngine(engine, terms), close: async () => engine[Symbol.asyncDispose]() }
  }
  // The compiler is loaded only by workers that need it.
  const { openCompiledFile } = await import('./compiled-model.ts')
  const engine = await openCompiledFile(source.path, digest)
  return { served: { ...serveTensorEngine(engine, terms), notice: card.notice }, close: async () => engine[Symbol.asyncDispose]() }
}
