// Runs a model file again on the opened input of a receipt: the answer and the layer trace must come out to the bit.
import { compileModel, OverMemoryError, UnsupportedNodeError } from '@tacit/compiler'
import { type JobInput, jobInputSchema, outputBytes } from '@tacit/exchange'
import { parseOnnx } from '@tacit/model'
import { fromWireTensor, toWireTensors } from '@tacit/node'
import { loadZoo } from '@tacit/node/node'
import { deriveTraceKey, modelRoot, type Openings, parseHex, type ReceiptCore, sha256Hash, toHex, traceRoot } from '@tacit/protocol'
import { openReferenceEngine, type Tensor, type TensorRun } from '@tacit/runtime'
import { loadModel } from '@tacit/runtime/node'

/** SKIP is never a pass. */
export type ReplayLine = { readonly check: string; readonly status: 'PASS' | 'FAIL' | 'SKIP'; readonly reason: string }

/** What replaying shows; whether the openings belong to the receipt is checked elsewhere (`verifyReceipt`). */
export async function replayReceipt(core: ReceiptCore, openings: Openings, file: Uint8Array): Promise<readonly ReplayLine[]> {
  const { input, output } = openings
  if (input === null || output === null) return [{ check: 'replay', status: 'SKIP', reason: 'input and output are not both opened' }]
  const request = parseInput(input.plaintext)
  if (request?.kind !== 'tensors')
    return [{ check: 'replay', status: 'SKIP', reason: 'language models do not give the same bits on every machine' }]
  const run = await runAgain(file, Object.fromEntries(request.tensors.map((tensor) => [tensor.name, fromWireTensor(tensor)])))
  const answer = toHex(outputBytes([{ kind: 'tensors', tensors: toWireTensors(run.outputs) }]))
  return [
    replayedFile(core, file),
    answer === output.plaintext
      ? { check: 'answer', status: 'PASS', reason: 'the model file gives the opened output for the opened input, to the bit' }
      : { check: 'answer', status: 'FAIL', reason: 'the model file gives another output for the opened input' },
    replayedTrace(core, run, { requestKey: input.frankingKey, responseKey: output.frankingKey }),
  ]
}

function parseInput(plaintext: string): JobInput | undefined {
  try {
    return jobInputSchema(JSON.parse(new TextDecoder('utf8', { fatal: true }).decode(parseHex(plaintext, 'An input'))), 'input')
  } catch {
    return undefined
  }
}

async function runAgain(file: Uint8Array, inputs: Readonly<Record<string, Tensor>>): Promise<TensorRun> {
  const graph = parseOnnx(file)
  try {
    const { wasm, manifest } = await compileModel(graph, { profile: 'f32' })
    await using model = await loadModel(wasm, manifest)
    return await model.run(inputs, { trace: 'hashes' })
  } catch (error) {
    if (!(error instanceof UnsupportedNodeError || error instanceof OverMemoryError)) throw error
    await using engine = openReferenceEngine(graph, { digest: `sha256:${sha256Hash(file).slice(2)}` })
    return await engine.run(inputs)
  }
}

// The root covers up to four commitments. Those beside the file are known here for the models that come with the software.
function replayedFile(core: ReceiptCore, file: Uint8Array): ReplayLine {
  const artifact = sha256Hash(file)
  const candidates = [{ artifact, q8: null, proof: null, fhe: null }, ...loadZoo().map(({ card }) => card.commitments)]
  return candidates.some((item) => item.artifact === artifact && modelRoot(item) === core.modelRoot)
    ? { check: 'model file', status: 'PASS', reason: 'the file is the one that the model of the receipt commits to' }
    : { check: 'model file', status: 'SKIP', reason: 'the commitments of the model are not known here, so that this may be another file' }
}

type FrankingKeys = { readonly requestKey: string; readonly responseKey: string }

function replayedTrace(core: ReceiptCore, run: TensorRun, keys: FrankingKeys): ReplayLine {
  const { delivered, session, job } = core
  if (delivered.traceRoot === null || run.trace === undefined || run.trace.length === 0)
    return { check: 'trace', status: 'SKIP', reason: 'the receipt or the model has no layer trace' }
  const [requestKey, responseKey] = [parseHex(keys.requestKey, 'A franking key', 32), parseHex(keys.responseKey, 'A franking key', 32)]
  const root = traceRoot(run.trace, deriveTraceKey({ requestKey, responseKey, session, job }))
  return root === delivered.traceRoot
    ? { check: 'trace', status: 'PASS', reason: `all ${run.trace.length} layers give the trace root that the worker signed` }
    : { check: 'trace', status: 'FAIL', reason: 'the layers give another trace root than the one that the worker signed' }
}
