import type { OperatorReader } from '../node-reader.ts'

/** Attention and rotary embeddings, as the primitives that define them. */
export const attentionReaders: Readonly<Record<string, OperatorReader>> = {}
