// ONNX files for the reference engine. The file is read once: what is hashed, compared and parsed are the same bytes.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type ParseOnnxOptions, parseOnnx } from '@tacit/model'
import type { ModelDigest, TensorEngine } from '../engine.ts'
import { DigestMismatchError, ModelNotFoundError } from '../errors.ts'
import { openReferenceEngine } from '../reference-engine.ts'

/** Which file to open, and how. */
export type ReferenceFileOptions = {
  readonly file: string
  /** Refuse any other bytes. */
  readonly digest?: ModelDigest
  /** Values for symbolic dimensions, such as `{ batch: 1 }`. */
  readonly dimensions?: ParseOnnxOptions['dimensions']
}

/**
 * Opens an ONNX file with the reference interpreter.
 *
 * @example
 * await using engine = await openReferenceFile({ file: 'zoo/digits/relu-f32.onnx' })
 *
 * @throws ModelNotFoundError, DigestMismatchError, and what `parseOnnx` throws for files that are not usable ONNX.
 */
export async function openReferenceFile({ file, digest, dimensions }: ReferenceFileOptions): Promise<TensorEngine> {
  const bytes = await readModelFile(file)
  const actual: ModelDigest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  if (digest !== undefined && actual !== digest) throw new DigestMismatchError({ expected: digest, actual })
  return openReferenceEngine(parseOnnx(bytes, dimensions === undefined ? {} : { dimensions }), { digest: actual })
}

async function readModelFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch {
    throw new ModelNotFoundError(file)
  }
}
