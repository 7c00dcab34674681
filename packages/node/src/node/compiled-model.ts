// An ONNX file as a compiled module in the sandbox: ended when its job is, and with a layer trace for the receipt.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type CompileOptions, compileModel, OverMemoryError, UnsupportedNodeError } from '@tacit/compiler'
import { parseOnnx } from '@tacit/model'
import { DigestMismatchError, type ModelDigest, ModelNotFoundError, openReferenceEngine, type TensorEngine } from '@tacit/runtime'
import { loadModel } from '@tacit/runtime/node'

/**
 * Compiles the committed file and runs it in a worker thread. A node that the compiler has no kernel for, or too large a model, is left to the
 * reference interpreter, which gives the same bits but no trace.
 * @throws ModelNotFoundError, DigestMismatchError, and what `parseOnnx` and `compileModel` throw.
 */
export async function openCompiledFile(
  file: string,
  digest: ModelDigest,
  options: Pick<CompileOptions, 'maxMemoryBytes'> = {},
): Promise<TensorEngine> {
  const bytes = await readFile(file).catch(() => {
    throw new ModelNotFoundError(file)
  })
  const actual: ModelDigest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
  if (actual !== digest) throw new DigestMismatchError({ expected: digest, actual })
  const graph = parseOnnx(bytes)
  try {
    const { wasm, manifest } = await compileModel(graph, { ...options, profile: 'f32' })
    return await loadModel(wasm, manifest)
  } catch (error) {
    if (!(error instanceof UnsupportedNodeError || error instanceof OverMemoryError)) throw error
    return openReferenceEngine(graph, { digest })
  }
}
