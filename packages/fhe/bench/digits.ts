// The digit network of zoo/digits on all held-out digits, under encryption, against the clear run.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { compileEncrypted } from '@tacit/compiler'
import { digitInput, float32, parseDigits, parseOnnx, runGraph, splitDigits } from '@tacit/model'
import type { Metrics } from '../../../tools/bench.ts'
import { decryptOutputs, encodeInput, parseResponse } from '../src/circuit/client-codec.ts'
import { encodeEvaluationKeys, generateKeys } from '../src/ckks/evaluation-keys.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { CircuitSession, getParameters, keyNeedsOf } from '../src/index.ts'
import { createRing } from '../src/internal/ring.ts'

const root = new URL('../../../', import.meta.url)
const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const best = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((top, value, i, all) => (value > (all[top] ?? 0) ? i : top), 0)

export function benchDigits(report: (line: string) => void): Metrics {
  const graph = parseOnnx(readFileSync(new URL('zoo/digits/digits-square.onnx', root)))
  const { heldOut } = splitDigits(parseDigits(gunzipSync(readFileSync(new URL('zoo/data/digits/digits.csv.gz', root))).toString()))
  const { plan, encoded } = compileEncrypted(graph)
  const ring = createRing(getParameters(plan.parameters))
  const { secretKey, evaluationKeys } = generateKeys(ring, keyNeedsOf(plan), random)
  const session = new CircuitSession(encoded, encodeEvaluationKeys(evaluationKeys), { random })
  let [correct, agreed, error] = [0, 0, 0]
  for (const digit of heldOut) {
    const input = digitInput(digit)
    const clear = runGraph(graph, { [graph.inputs[0] ?? '']: float32([1, 64], input) })[graph.outputs[0] ?? '']
    if (clear === undefined) throw new RangeError('no logits')
    const logits = Array.from({ length: 10 }, (_, i) => Number(clear.data[i]))
    const request = encryptSeeded(ring, secretKey, encodeInput(plan, input), { level: plan.level, random })
    const outputs = decryptOutputs(ring, secretKey, plan, parseResponse(plan, session.evaluate(request).response))
    if (best(outputs) === digit.label) correct++
    if (best(outputs) === best(logits)) agreed++
    error = Math.max(error, ...logits.map((value, i) => Math.abs(value - (outputs[i] ?? Number.NaN))))
  }
  const total = heldOut.length
  report(`digits: ${correct} of ${total} held-out images correct under encryption, argmax equal to the clear run on ${agreed}`)
  return {
    'digits.accuracy': correct / total,
    'digits.argmax_agreement': agreed / total,
    'digits.max_error': Number(error.toExponential(3)),
    'digits.images': total,
    'digits.key_bytes': plan.sizes.keyBytes,
    'digits.response_bytes': plan.sizes.responseBytes,
  }
}
