// Child side: a text to its vector. How the tokens' vectors are pooled (mean, first, last) is written in the model file, and llama.cpp does it.
import { vectorLimit } from './llama-messages.ts'
import { type LoadedModel, RefusedError } from './llama-model.ts'

const sequence = 0
// llama.h, enum llama_vocab_type.
const wordPiece = 3
const unigram = 4
const rwkv = 5

/** The vector of one text. A text is never cut: one that does not fit is refused with both counts. */
export async function embedText(loaded: LoadedModel, text: string): Promise<Float64Array> {
  const { context, facts, model } = loaded
  if (model.getEmbeddingVectorSize() > vectorLimit)
    throw new RefusedError({ reason: 'invalid', detail: `its vectors have more than ${vectorLimit} numbers` })
  const tokens = Uint32Array.from(textTokens(loaded, text))
  if (tokens.length === 0) throw new RefusedError({ reason: 'invalid', detail: 'there is nothing to embed' })
  if (tokens.length > facts.contextTokens)
    throw new RefusedError({ reason: 'context', promptTokens: tokens.length, contextTokens: facts.contextTokens })
  context.disposeSequence(sequence)
  context.initBatch(tokens.length)
  context.addToBatch(sequence, 0, tokens, Uint32Array.from(tokens.keys()))
  await context.decodeBatch()
  return context.getEmbedding(tokens.length)
}

// As llama.cpp's own tokenizer does when it is asked for special tokens: word-piece vocabularies (BERT) frame every text, others by their flags.
function textTokens({ model }: LoadedModel, text: string): readonly number[] {
  const type = model.getVocabularyType()
  const tokens = [...model.tokenize(text, false)]
  const marked = type === unigram || type === rwkv
  const start = type === wordPiece || (!marked && model.shouldPrependBosToken()) ? model.tokenBos() : -1
  const end = endToken(model, type)
  return [...(start < 0 ? [] : [start]), ...tokens, ...(end < 0 ? [] : [end])]
}

function endToken(model: LoadedModel['model'], type: number): number {
  if (type === wordPiece) return model.sepToken()
  if (type === unigram) return model.tokenEos()
  return type !== rwkv && model.shouldAppendEosToken() ? model.tokenEos() : -1
}
