// Embedding models of a running Ollama (docs/api.md, /api/embed): real-valued vectors, for whoever quantises and compares them.
import type { ModelDigest } from '../engine.ts'
import { DigestMismatchError, ModelNotFoundError, OllamaFailedError, OllamaRemoteModelError } from '../errors.ts'
import { callOllama, defaultOllamaAddress, listModels, type OllamaModel } from './ollama-api.ts'

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
  const found = await findModel(address, options.model, options.digest, options.signal ?? AbortSignal.timeout(30_000))
  return {
    model: `ollama/${found.name}@${found.digest}`,
    embed: async (texts, { signal } = {}) => {
      if (texts.length === 0) return []
      const limit = signal ?? AbortSignal.timeout(120_000)
      // A name can be given to another model while this runs, one elsewhere included: asked again before texts are sent.
      await findModel(address, found.name, found.digest, limit)
      const reply = await callOllama(address, '/api/embed', limit, { model: found.name, input: texts })
      return readVectors(reply['embeddings'], texts.length)
    },
  }
}

async function findModel(address: string, wanted: string, digest: ModelDigest | undefined, signal: AbortSignal): Promise<OllamaModel> {
  const models = await listModels(address, signal)
  const found = models.find(({ name }) => name === wanted || name === `${wanted}:latest`)
  if (found === undefined) throw new ModelNotFoundError(`${address} under the name ${wanted}`)
  // Texts to embed are intents: they must not leave this machine.
  if (found.remote) throw new OllamaRemoteModelError(found.name)
  if (digest !== undefined && digest !== found.digest) throw new DigestMismatchError({ expected: digest, actual: found.digest })
  return found
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
