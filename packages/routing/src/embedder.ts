import { quantizeVector } from './directory.ts'
import { MalformedRoutingError } from './errors.ts'

/** Turns texts into vectors. Implementations that need an engine live in `@tacit/runtime`. */
export type Embedder = {
  /** What a directory row made with it may be compared with: rows and intents must come from the same space. */
  readonly space: string
  readonly dimensions: number
  /** Whether meaning is compared, or only shared words. */
  readonly kind: 'semantic' | 'lexical'
  embed(texts: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<readonly Int8Array[]>
}

/**
 * The built-in embedder: hashed words and character 3-grams. It needs no model and knows no meaning: good where texts share words,
 * chance on paraphrases (README, section on embedders).
 */
export function createLexicalEmbedder(dimensions = 384): Embedder {
  return {
    space: `lexical-1-${dimensions}`,
    dimensions,
    kind: 'lexical',
    embed: async (texts) => texts.map((text) => embedLexically(text, dimensions)),
  }
}

/** A model that gives real-valued vectors: an Ollama or GGUF embedding model, or anything else that a caller runs. */
export type FloatEmbeddingModel = {
  /** Name and digest of the model: vectors of different models must not be compared. */
  readonly model: string
  embed(texts: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<readonly ArrayLike<number>[]>
}

/**
 * Makes an embedder of a model: longer vectors are cut to the wanted dimensions (models trained for it keep their order best), shorter
 * ones filled with zeros, and all quantised by the rules of the directory.
 * @throws VectorRuleError when the model returns a zero or non-finite vector
 */
export function createSemanticEmbedder(model: FloatEmbeddingModel, dimensions = 384): Embedder {
  return {
    space: `${model.model}-${dimensions}`,
    dimensions,
    kind: 'semantic',
    embed: async (texts, options) => {
      const vectors = await model.embed(texts, options)
      if (vectors.length !== texts.length) throw new MalformedRoutingError('The embedding', 'does not have one vector per text')
      return vectors.map((vector) => quantizeVector(Array.from({ length: dimensions }, (_, i) => vector[i] ?? 0)))
    },
  }
}

/** One text; the zero text gives a fixed unit vector, so that it breaks no rule. */
export function embedLexically(text: string, dimensions: number): Int8Array {
  const sums = new Float64Array(dimensions)
  const words =
    text
      .toLowerCase()
      // Runs of combining marks take quadratic time to normalise; 30 as in the stream-safe format of UAX #15.
      .replace(/(\p{M}{30})\p{M}+/gu, '$1')
      .normalize('NFKC')
      .match(/[\p{L}\p{N}]+/gu) ?? []
  for (const word of words) {
    addFeature(sums, `w:${word}`, 1)
    const padded = `^${word}$`
    for (let i = 0; i + 3 <= padded.length; i++) addFeature(sums, `g:${padded.slice(i, i + 3)}`, 0.5)
  }
  if (sums.every((value) => value === 0)) sums[0] = 1
  // Repeated features count with their square root, so that one long text does not drown its rarer words.
  return quantizeVector(sums.map((value) => Math.sign(value) * Math.sqrt(Math.abs(value))))
}

// Signed feature hashing (Weinberger et al., ICML 2009): the sign keeps collisions unbiased. FNV-1a, 32 bits.
function addFeature(sums: Float64Array, feature: string, weight: number): void {
  let hash = 0x811c9dc5
  for (let i = 0; i < feature.length; i++) hash = Math.imul(hash ^ feature.charCodeAt(i), 0x01000193) >>> 0
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 0
  const index = hash % sums.length
  sums[index] = (sums[index] ?? 0) + ((hash >>> 31) & 1 ? -weight : weight)
}
