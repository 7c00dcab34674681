// Hashes of everything that must not depend on the engine, with a fake source of randomness. Runs in Node and in browsers.
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { chacha20 } from '@noble/ciphers/chacha.js'
import { CircuitSession, encodedNetworkRoot, encodeNetwork, keyNeedsOf, planCircuit } from '../src/index.ts'
import { encodeInput } from '../src/circuit/client-codec.ts'
import { encodeEvaluationKeys, generateKeys } from '../src/ckks/evaluation-keys.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { createRing } from '../src/internal/ring.ts'
import type { RandomSource } from '../src/internal/streams.ts'
import { getParameters } from '../src/parameters.ts'

function fakeRandom(label: number): RandomSource {
  let counter = 0
  return (size) => {
    const nonce = new Uint8Array(12)
    new DataView(nonce.buffer).setUint32(0, counter++, true)
    return chacha20(new Uint8Array(32).fill(label), nonce, new Uint8Array(size))
  }
}

/** Weights from integers alone: an engine's sine may differ in its last bit. */
const layer = (inputs: number, outputs: number) => ({
  inputs,
  outputs,
  weights: Float64Array.from({ length: inputs * outputs }, (_, i) => (((i * 7919) % 199) - 99) / 100 / inputs),
  bias: Float64Array.from({ length: outputs }, (_, i) => i / 64),
})

const network = { layers: [layer(100, 32), layer(32, 10)], inputRange: [0, 1] } as const
const plan = planCircuit(network)
const encoded = encodeNetwork(network, plan)
const ring = createRing(getParameters(plan.parameters))
const { secretKey, evaluationKeys } = generateKeys(ring, keyNeedsOf(plan), fakeRandom(1))
const keys = encodeEvaluationKeys(evaluationKeys)
const session = new CircuitSession(encoded, keys, { random: fakeRandom(2), tickets: 0 })
const message = encodeInput(
  plan,
  Float64Array.from({ length: 100 }, (_, i) => i / 100),
)
const request = encryptSeeded(ring, secretKey, message, { level: plan.level, random: fakeRandom(3) })
const { response } = session.evaluate(request)
const hashes = [encodedNetworkRoot(encoded), keys, request, response].map((bytes) => bytesToHex(sha256(bytes)).slice(0, 16)).join(' ')
Object.assign(globalThis, { engineHashes: hashes })
console.log(hashes)
