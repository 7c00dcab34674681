import { controlTokens } from './config.ts'
import { type Document, drawDocument } from './grammar.ts'
import { mulberry32, type Random } from './random.ts'

/** Training and held-out documents as tokens; no held-out document occurs in the training part. */
export type Corpus = { readonly training: TokenStream; readonly heldOut: TokenStream }

/** Documents one after the other, where each begins, and what is to be learned: 1 for what the model writes itself. */
export type TokenStream = { readonly tokens: Int32Array; readonly learned: Uint8Array; readonly starts: readonly number[] }

/** The target of a token that is not to be learned: the words of others. */
export const ignored = -1

/** The same seed gives the same text. */
export function drawCorpus(plan: { readonly seed: number; readonly trainingDocuments: number; readonly heldOutDocuments: number }): Corpus {
  const random = mulberry32(plan.seed)
  const training = Array.from({ length: plan.trainingDocuments }, () => documentTokens(drawDocument(random)))
  const seen = new Set(training.map(({ tokens }) => tokens.join()))
  const heldOut: TokenizedDocument[] = []
  while (heldOut.length < plan.heldOutDocuments) {
    const document = documentTokens(drawDocument(random))
    if (!seen.has(document.tokens.join())) heldOut.push(document)
  }
  return { training: join(training), heldOut: join(heldOut) }
}

/** A document as the chat template in the GGUF file writes it. */
export type TokenizedDocument = { readonly tokens: readonly number[]; readonly learned: readonly (0 | 1)[] }

/** `<begin>`, then each turn after its control token; prose and answers are followed by `<end>`. */
export function documentTokens(document: Document): TokenizedDocument {
  const tokens: number[] = [controlTokens.beginning]
  const learned: (0 | 1)[] = [0]
  for (const { role, text } of document) {
    const own = role === 'text' || role === 'assistant'
    const bytes = [...new TextEncoder().encode(text), ...(own ? [controlTokens.end] : [])]
    if (role !== 'text') {
      tokens.push(controlTokens[role])
      learned.push(0)
    }
    tokens.push(...bytes)
    learned.push(...bytes.map((): 0 | 1 => (own ? 1 : 0)))
  }
  return { tokens, learned }
}

/** Windows that begin where a document begins, and what follows each of their tokens. */
export type Batch = { readonly inputs: Int32Array; readonly targets: Int32Array }

/** Windows at random documents. */
export function drawBatch(
  stream: TokenStream,
  random: Random,
  { window, batch }: { readonly window: number; readonly batch: number },
): Batch {
  const inputs = new Int32Array(window * batch)
  const targets = new Int32Array(window * batch)
  const starts = stream.starts.filter((start) => start + window < stream.tokens.length)
  for (let row = 0; row < batch; row++) {
    const at = windowAt(stream, starts[Math.floor(random() * starts.length)] ?? 0, window)
    inputs.set(at.inputs, row * window)
    targets.set(at.targets, row * window)
  }
  return { inputs, targets }
}

/** One window; targets that are not to be learned are `ignored`. */
export function windowAt({ tokens, learned }: TokenStream, start: number, window: number): Batch {
  const targets = tokens.slice(start + 1, start + window + 1)
  return {
    inputs: tokens.subarray(start, start + window),
    targets: targets.map((target, n) => (learned[start + 1 + n] === 1 ? target : ignored)),
  }
}

function join(documents: readonly TokenizedDocument[]): TokenStream {
  const starts: number[] = []
  let offset = 0
  for (const { tokens } of documents) {
    starts.push(offset)
    offset += tokens.length
  }
  return {
    tokens: Int32Array.from(documents.flatMap(({ tokens }) => tokens)),
    learned: Uint8Array.from(documents.flatMap(({ learned }) => learned)),
    starts,
  }
}
