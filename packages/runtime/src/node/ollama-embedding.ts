// Embedding models of a running Ollama (docs/api.md, /api/embed): real-valued vectors, for whoever quantises and compares them.
import type { ModelDigest } from '../engine.ts'
import { DigestMismatchError, ModelNotFoundError, OllamaFailedError, OllamaRemoteModelError } from '../errors.ts'
import { callOllama, defaultOllamaAddress, listModels } from './ollama-api.ts'

/** Which embedding model to use. */
export type OllamaEmbeddingOptions = {
  readonly model: string
  readonly address?: string
  /** Refuse any other manifest. */
  readonly digest?: ModelDigest
  readonly signal?: AbortSignal
}

/** A model that turns texts into vectors; `model` pins name and manifest, since vectors of two models must not be compared. */
export type EmbeddingModel = {
  readonly model: string
  embed(texts: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<readonly Float64Array[]>
}

/**
 * Opens an embedding model of a running Ollama.
 * @throws OllamaUnreachableError, ModelNotFoundError, DigestMismatchError, OllamaRemoteModelError
 */
export async function openOllamaEmbedding(options: OllamaEmbeddingOptions): Promise<EmbeddingModel> {
  const address = options.address ?? defaultOllamaAddress
  const models = await listModels(address, options.signal ?? AbortSignal.timeout(30_000))
  const found = models.find(({ name }) => name === options.model || name === `${options.model}:latest`)
  if (found === undefined) throw new ModelNotFoundError(`${address} under the name ${options.model}`)
  // Texts to embed are intents: they must not leave this machine.
  if (found.remote) throw new OllamaRemoteModelError(found.name)
  if (options.digest !== undefined && options.digest !== found.digest)
    throw new DigestMismatchError({ expected: options.digest, actual: found.digest })
  return {
    model: `ollama/${found.name}@${found.digest}`,
    embed: async (texts, { signal } = {}) => {
      if (texts.length === 0) return []
      const reply = await callOllama(address, '/api/embed', signal ?? AbortSignal.timeout(120_000), { model: found.name, input: texts })
      return readVectors(reply['embeddings'], texts.length)
    },
  }
}

function readVectors(value: unknown, count: number): readonly Float64Array[] {
  if (!Array.isArray(value) || value.length !== count) throw new OllamaFailedError('it did not give one vector per text')
  const vectors = value.map((vector: unknown) => {
    if (!Array.isArray(vector) || vector.length === 0 || !vector.every((entry) => typeof entry === 'number' && Number.isFinite(entry)))
      throw new OllamaFailedError('a vector is garbled')
    return Float64Array.from(vector)
  })
  if (vectors.some((vector) => vector.length !== vectors[0]?.length)) throw new OllamaFailedError('its vectors differ in length')
  return vectors
}
