import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import {
  type DenseLayer,
  EncryptedModelClient,
  encodedNetworkRoot,
  encodeNetwork,
  evaluateInClear,
  hashEncodedIntegers,
  planCircuit,
} from '@tacit/fhe'
import { digitInput, float32, parseDigits, parseOnnx, runGraph, splitDigits } from '@tacit/model'
import { EncryptedEvaluator } from '../../src/encrypted/encrypted-evaluator.ts'

const root = new URL('../../../../', import.meta.url)
const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const graph = parseOnnx(readFileSync(new URL('zoo/digits/digits-square.onnx', root)))
const { heldOut } = splitDigits(parseDigits(gunzipSync(readFileSync(new URL('zoo/data/digits/digits.csv.gz', root))).toString()))

/** The digit network's matrices, read from its constants: 64-32-10. */
function layersOf(): readonly DenseLayer[] {
  const run = (input: Float32Array, value: string): readonly number[] => {
    const seen = new Map<string, readonly number[]>()
    runGraph(
      graph,
      { [graph.inputs[0] ?? '']: float32([1, 64], input) },
      {
        observe: (id, tensor) =>
          seen.set(
            id,
            Array.from({ length: tensor.data.length }, (_, i) => Number(tensor.data[i])),
          ),
      },
    )
    return seen.get(value) ?? []
  }
  const first = graph.nodes[0]
  assert.ok(first)
  const sums = first.outputs[0] ?? ''
  const bias = run(new Float32Array(64), sums)
  const weights = new Float64Array(bias.length * 64)
  for (let i = 0; i < 64; i++) {
    const unit = new Float32Array(64)
    unit[i] = 1
    run(unit, sums).forEach((value, o) => {
      weights[o * 64 + i] = value - (bias[o] ?? 0)
    })
  }
  const matrices = [...graph.constants.values()].filter(({ shape }) => shape.length === 2 && shape.includes(10))
  const [last] = matrices
  const lastBias = [...graph.constants.values()].find(({ data }) => data.length === 10)
  assert.ok(last && lastBias)
  const byRows = last.shape[0] === 10
  const dense = Float64Array.from({ length: 320 }, (_, k) => Number(last.data[byRows ? k : (k % 32) * 10 + Math.floor(k / 32)]))
  return [
    { inputs: 64, outputs: bias.length, weights, bias: Float64Array.from(bias) },
    { inputs: 32, outputs: 10, weights: dense, bias: Float64Array.from({ length: 10 }, (_, i) => Number(lastBias.data[i])) },
  ]
}

const network = { layers: layersOf(), inputRange: [0, 1] as const }
const plan = planCircuit(network)
const encoded = encodeNetwork(network, plan)

function createClient() {
  const accept = (): boolean => true
  const modelRoot = encodedNetworkRoot(encoded)
  const integersHash = hashEncodedIntegers(encoded)
  return new EncryptedModelClient({
    worker: 'fake-worker',
    modelRoot,
    plan,
    integersHash,
    random,
    verifyWorker: accept,
    verifyReplay: accept,
  })
}

describe('the encrypted evaluator on real digits', () => {
  it('gives the label of the clear run on held-out digits, from ciphertext only', () => {
    const client = createClient()
    const evaluator = new EncryptedEvaluator(encoded, client.keySet, { random, createHash: () => createHash('sha256') })
    for (const digit of heldOut.slice(0, 25)) {
      const request = client.encrypt(digitInput(digit))
      const { response } = evaluator.evaluate(request.bytes)
      const clear = runGraph(graph, { [graph.inputs[0] ?? '']: float32([1, 64], digitInput(digit)) })[graph.outputs[0] ?? '']
      assert.ok(clear)
      const logits = Array.from({ length: 10 }, (_, i) => Number(clear.data[i]))
      const answer = client.receive(request, response, new Uint8Array())
      assert.equal(client.openLabel(answer), logits.indexOf(Math.max(...logits)))
      assert.equal(
        evaluateInClear(network, digitInput(digit)).indexOf(Math.max(...evaluateInClear(network, digitInput(digit)))),
        logits.indexOf(Math.max(...logits)),
      )
    }
  })

  it('finds the first boundary at which another worker left the model', () => {
    const client = createClient()
    const [digit] = heldOut
    assert.ok(digit)
    const changed = {
      ...encoded,
      hidden: encoded.hidden.map((layer) => ({ ...layer, bias: layer.bias.map((v, i) => (i === 0 ? v + 1 : v)) })),
    }
    const changedOutput = { ...encoded, output: encoded.output.map((v, i) => (i === 0 ? v + 1 : v)) }
    const [honest, replayer, cheat, lastCheat] = [encoded, encoded, changed, changedOutput].map(
      (model) => new EncryptedEvaluator(model, client.keySet, { random, tickets: 1 }),
    )
    assert.ok(honest && replayer && cheat && lastCheat)
    const request = client.encrypt(digitInput(digit)).bytes
    const evaluation = honest.evaluateTraced(request)
    assert.deepEqual(
      evaluation.trace.map(({ boundary }) => boundary),
      ['layer-1-sums', 'layer-1-squares', 'response'],
    )
    assert.deepEqual(replayer.reexecute(request, evaluation), { equal: true })
    assert.deepEqual(replayer.reexecute(request, cheat.evaluateTraced(request)), {
      equal: false,
      firstDifference: 'layer-1-sums',
      index: 0,
    })
    assert.deepEqual(replayer.reexecute(request, lastCheat.evaluateTraced(request)), {
      equal: false,
      firstDifference: 'response',
      index: 2,
    })
    const shortened = { ...evaluation, trace: evaluation.trace.slice(0, 1) }
    assert.deepEqual(replayer.reexecute(request, shortened), { equal: false, firstDifference: 'layer-1-squares', index: 1 })
  })
})
