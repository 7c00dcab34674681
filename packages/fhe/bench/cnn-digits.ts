// The convolutional network of train-cnn.ts on held-out enlarged digits, under encryption at N = 16384.
import { randomBytes } from 'node:crypto'
import type { Metrics } from '../../../tools/bench.ts'
import { decryptOutputs, encodeInput, parseResponse } from '../src/circuit/client-codec.ts'
import { encodeEvaluationKeys, generateKeys } from '../src/ckks/evaluation-keys.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { CircuitSession, encodeNetwork, evaluateInClear, getParameters, keyNeedsOf, planCircuit } from '../src/index.ts'
import { createRing } from '../src/internal/ring.ts'
import { enlarge, loadDigits, trainCnn } from './train-cnn.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const epochs = 20
const encryptedImages = 120

export function benchCnnDigits(report: (line: string) => void): Metrics {
  const network = trainCnn(epochs)
  const plan = planCircuit(network)
  const ring = createRing(getParameters(plan.parameters))
  const { secretKey, evaluationKeys } = generateKeys(ring, keyNeedsOf(plan), random)
  const session = new CircuitSession(encodeNetwork(network, plan), encodeEvaluationKeys(evaluationKeys), { random, tickets: 0 })
  const best = (values: Float64Array): number => values.indexOf(Math.max(...values))
  const { heldOut } = loadDigits()
  let [clearCorrect, correct, agreed, error] = [0, 0, 0, 0]
  heldOut.forEach((digit, index) => {
    const input = enlarge(digit)
    const clear = evaluateInClear(network, input)
    if (best(clear) === digit.label) clearCorrect++
    if (index >= encryptedImages) return
    const request = encryptSeeded(ring, secretKey, encodeInput(plan, input), { level: plan.level, random })
    const outputs = decryptOutputs(ring, secretKey, plan, parseResponse(plan, session.evaluate(request).response))
    if (best(outputs) === digit.label) correct++
    if (best(outputs) === best(clear)) agreed++
    error = Math.max(error, ...clear.map((value, i) => Math.abs(value - (outputs[i] ?? Number.NaN))))
  })
  report(`enlarged digits, convolutional network: ${clearCorrect} of ${heldOut.length} correct in the clear,`)
  report(`  ${correct} of ${encryptedImages} under encryption, argmax equal on ${agreed}, error ${error.toExponential(2)}`)
  return {
    'cnn_digits.clear_accuracy': clearCorrect / heldOut.length,
    'cnn_digits.accuracy': correct / encryptedImages,
    'cnn_digits.argmax_agreement': agreed / encryptedImages,
    'cnn_digits.max_error': Number(error.toExponential(3)),
    'cnn_digits.images': encryptedImages,
  }
}
