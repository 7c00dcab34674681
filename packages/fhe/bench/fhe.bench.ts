// Encrypted inference, bytes to bytes, against SEAL in the same process. CPU milliseconds (process.cpuUsage), medians.
import { randomBytes } from 'node:crypto'
import type { Metrics } from '../../../tools/bench.ts'
import { decryptOutputs, encodeInput, parseResponse } from '../src/circuit/client-codec.ts'
import { encodeEvaluationKeys, generateKeys } from '../src/ckks/evaluation-keys.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { CircuitSession, encodeNetwork, evaluateInClear, getParameters, keyNeedsOf, planCircuit, type SquareNetwork } from '../src/index.ts'
import { createRing } from '../src/internal/ring.ts'
import { benchCnnDigits } from './cnn-digits.ts'
import { benchDigits } from './digits.ts'
import { createCnn, createGenerator, createImage, createMlp } from './networks.ts'
import { benchPrimitives } from './primitives.ts'
import { createSealNetwork, type SealSettings } from './seal-network.ts'
import { benchThreads } from './threads.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const round = (value: number, digits = 2): number => Number(value.toFixed(digits))

function cpu<T>(run: () => T): readonly [number, T] {
  const start = process.cpuUsage()
  const value = run()
  const used = process.cpuUsage(start)
  return [(used.user + used.system) / 1000, value]
}

type Samples = { [name: string]: number[] }
const collect = (samples: Samples, name: string, ms: number): void => {
  samples[name] = [...(samples[name] ?? []), ms]
}

/** One network on both sides, alternating, on the same inputs. */
async function compare(network: SquareNetwork, seal: SealSettings, runs: number, report: (line: string) => void) {
  const plan = planCircuit(network)
  const encoded = encodeNetwork(network, plan)
  const ring = createRing(getParameters(plan.parameters))
  const makeKeys = () => generateKeys(ring, keyNeedsOf(plan), random)
  makeKeys()
  const [keygenMs, { secretKey, evaluationKeys }] = cpu(makeKeys)
  const keyBytes = encodeEvaluationKeys(evaluationKeys)
  const session = new CircuitSession(encoded, keyBytes, { random })
  const other = await createSealNetwork(network, seal)
  const generator = createGenerator(4711)
  const samples: Samples = {}
  const errors = { ours: 0, seal: 0 }
  let [agreed, sealAgreed, requestBytes, responseBytes, identical] = [0, 0, 0, 0, 0]
  const best = (values: Float64Array): number => values.indexOf(Math.max(...values))
  const difference = (a: Float64Array, b: Float64Array): number => Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN))))
  const warm = Math.max(3, runs >> 2)
  for (let i = 0; i < runs + warm; i++) {
    const input = createImage(generator)
    const expected = evaluateInClear(network, input)
    const [encryptMs, request] = cpu(() => encryptSeeded(ring, secretKey, encodeInput(plan, input), { level: plan.level, random }))
    const [serverMs, { response }] = cpu(() => session.evaluate(request))
    const [decryptMs, outputs] = cpu(() => decryptOutputs(ring, secretKey, plan, parseResponse(plan, response)))
    const again = encryptSeeded(ring, secretKey, encodeInput(plan, input), { level: plan.level, random })
    const [preparedMs] = cpu(() => session.prepare(again.subarray(8, 40)))
    const [onlineMs, late] = cpu(() => session.evaluate(again))
    if (Buffer.from(late.response).equals(Buffer.from(session.reevaluate(again, late.maskSeed)))) identical++
    const sealRequest = other.encrypt(input)
    const [sealMs, sealResponse] = cpu(() => other.evaluate(sealRequest))
    const sealOutputs = other.decrypt(sealResponse)
    errors.ours = Math.max(errors.ours, difference(expected, outputs))
    errors.seal = Math.max(errors.seal, difference(expected, sealOutputs))
    agreed += best(outputs) === best(expected) ? 1 : 0
    sealAgreed += best(sealOutputs) === best(expected) ? 1 : 0
    ;[requestBytes, responseBytes] = [request.length, response.length]
    if (i < warm) continue
    for (const [name, ms] of Object.entries({ encryptMs, serverMs, decryptMs, preparedMs, onlineMs, sealMs })) collect(samples, name, ms)
  }
  const at = (name: string): number => median(samples[name] ?? [])
  const total = runs + warm
  report(
    `  ours ${round(at('serverMs'))} ms, SEAL ${round(at('sealMs'))} ms, error ${errors.ours.toExponential(2)} and ${errors.seal.toExponential(2)}`,
  )
  report(
    `  argmax ${agreed} and ${sealAgreed} of ${total}; two-phase equal to one-phase ${identical} of ${total}; bounds ${plan.error.typical} typical, ${plan.error.bound} any`,
  )
  return {
    cpu_ms: round(at('serverMs')),
    seal_ms: round(at('sealMs')),
    seal_speedup_1t: round(at('sealMs') / at('serverMs')),
    prepare_ms: round(at('preparedMs')),
    online_ms: round(at('onlineMs')),
    encrypt_ms: round(at('encryptMs')),
    decrypt_ms: round(at('decryptMs')),
    keygen_ms: round(keygenMs),
    max_error: Number(errors.ours.toExponential(3)),
    seal_max_error: Number(errors.seal.toExponential(3)),
    error_bound: plan.error.bound,
    error_typical: plan.error.typical,
    argmax_agreement: agreed / total,
    two_phase_identical: identical / total,
    request_bytes: requestBytes,
    response_bytes: responseBytes,
    key_bytes: keyBytes.length,
    seal_key_bytes: other.keyBytes,
  }
}

export async function run(report: (line: string) => void): Promise<Metrics> {
  // First of all: later this process has SEAL's heap too, and its collector wants a core.
  const threads = await benchThreads(createMlp(createGenerator(12345)), report)
  report(
    'Both sides with the best circuit known to us: ours with complex packing, hoisted stages and coefficient-packed outputs; SEAL with',
  )
  report('baby and giant steps and single rotations, which is what its interface offers. `rotate` compares the same operation.')
  report('784-64-10:')
  const mlp = await compare(
    createMlp(createGenerator(12345)),
    { polyDegree: 8192, bits: [46, 36, 36, 36, 46], scaleBits: 36, babySteps: 4 },
    40,
    report,
  )
  report('conv-256-32-10 at N = 16384:')
  const cnnSeal = { polyDegree: 16384, bits: [46, 36, 36, 36, 36, 36, 46], scaleBits: 36, babySteps: 8 }
  const cnn = await compare(createCnn(createGenerator(77)), cnnSeal, 8, report)
  const primitives = await benchPrimitives(report)
  const digits = { ...benchDigits(report), ...benchCnnDigits(report) }
  const { encrypt_ms, decrypt_ms, keygen_ms, ...mlpServer } = mlp
  return {
    ...prefix('mlp', mlpServer),
    ...prefix('client', { encrypt_ms, decrypt_ms, keygen_ms }),
    ...primitives,
    ...threads,
    ...digits,
    ...prefix('cnn', { ...cnn, ms: cnn.cpu_ms, seal_speedup: cnn.seal_speedup_1t }),
  }
}

function prefix(name: string, values: Readonly<Record<string, number | null>>): Metrics {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${name}.${key}`, value]))
}
