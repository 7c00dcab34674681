import { controlTokens } from './config.ts'
import { type Document, drawDocument } from './grammar.ts'
import { mulberry32, type Random } from './random.ts'

/** Training and held-out documents as tokens; no held-out document occurs in the training part. */
export type Corpus = { readonly training: TokenStream; readonly heldOut: TokenStream; readonly heldOutTokens: readonly Int32Array[] }

/** Documents one after the other, and where each begins. */
export type TokenStream = { readonly tokens: Int32Array; readonly starts: readonly number[] }

/** The same seed gives the same text. */
export function drawCorpus(plan: { readonly seed: number; readonly trainingDocuments: number; readonly heldOutDocuments: number }): Corpus {
  const random = mulberry32(plan.seed)
  const training = Array.from({ length: plan.trainingDocuments }, () => documentTokens(drawDocument(random)))
  const seen = new Set(training.map((tokens) => tokens.join()))
  const heldOut: Int32Array[] = []
  while (heldOut.length < plan.heldOutDocuments) {
    const tokens = documentTokens(drawDocument(random))
    if (!seen.has(tokens.join())) heldOut.push(tokens)
  }
  return { training: join(training), heldOut: join(heldOut), heldOutTokens: heldOut }
}

/** `<begin>`, then each turn after its control token, then `<end>`: what the chat template in the GGUF file writes. */
export function documentTokens(document: Document): Int32Array {
  const turns = document.flatMap(({ role, text }) => [...(role === 'text' ? [] : [controlTokens[role]]), ...new TextEncoder().encode(text)])
  return Int32Array.from([controlTokens.beginning, ...turns, controlTokens.end])
}

/** Windows that begin where a document begins, and what follows each of their tokens. */
export type Batch = { readonly inputs: Int32Array; readonly targets: Int32Array }

export function drawBatch(
  stream: TokenStream,
  random: Random,
  { window, batch }: { readonly window: number; readonly batch: number },
): Batch {
  const inputs = new Int32Array(window * batch)
  const targets = new Int32Array(window * batch)
  const starts = stream.starts.filter((start) => start + window < stream.tokens.length)
  for (let row = 0; row < batch; row++) {
    const start = starts[Math.floor(random() * starts.length)] ?? 0
    inputs.set(stream.tokens.subarray(start, start + window), row * window)
    targets.set(stream.tokens.subarray(start + 1, start + window + 1), row * window)
  }
  return { inputs, targets }
}

function join(documents: readonly Int32Array[]): TokenStream {
  const tokens = new Int32Array(documents.reduce((sum, document) => sum + document.length, 0))
  const starts: number[] = []
  let offset = 0
  for (const document of documents) {
    starts.push(offset)
    tokens.set(document, offset)
    offset += document.length
  }
  return { tokens, starts }
}
