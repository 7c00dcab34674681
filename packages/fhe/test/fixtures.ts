import { randomBytes } from 'node:crypto'
import { chacha20 } from '@noble/ciphers/chacha.js'
import { createGenerator, randomDense } from '../bench/networks.ts'
import { keyNeedsOf, planCircuit } from '../src/circuit/plan.ts'
import { encodeNetwork } from '../src/circuit/encoded-network.ts'
import type { SquareNetwork } from '../src/circuit/network.ts'
import { encodeEvaluationKeys, generateKeys } from '../src/ckks/evaluation-keys.ts'
import { createRing } from '../src/internal/ring.ts'
import type { RandomSource } from '../src/internal/streams.ts'
import { getParameters } from '../src/parameters.ts'

/** Real randomness. */
export const random: RandomSource = (size) => new Uint8Array(randomBytes(size))

/** A fake source for tests that need the same bytes every time. */
export function fakeRandom(label: number): RandomSource {
  const key = new Uint8Array(32).fill(label)
  let counter = 0
  return (size) => {
    const nonce = new Uint8Array(12)
    new DataView(nonce.buffer).setUint32(0, counter++, true)
    return chacha20(key, nonce, new Uint8Array(size))
  }
}

/** A network of these widths with random weights and inputs in [0, 1]. */
export function randomNetwork(widths: readonly number[], seed = 1): SquareNetwork {
  const generator = createGenerator(seed)
  const layers = widths.slice(1).map((outputs, i) => randomDense(generator, widths[i] ?? 0, outputs, i === 0 ? 1.2 : 1))
  return { layers, inputRange: [0, 1] }
}

/** A planned and encoded network with a key pair. */
export function setUp(widths: readonly number[], { source = random, seed = 1 }: { source?: RandomSource; seed?: number } = {}) {
  return setUpNetwork(randomNetwork(widths, seed), source)
}

/** The same for a given network. */
export function setUpNetwork(network: SquareNetwork, source: RandomSource = random) {
  const plan = planCircuit(network)
  const encoded = encodeNetwork(network, plan)
  const ring = createRing(getParameters(plan.parameters))
  const { secretKey, evaluationKeys } = generateKeys(ring, keyNeedsOf(plan), source)
  return { network, plan, encoded, ring, secretKey, evaluationKeys, keyBytes: encodeEvaluationKeys(evaluationKeys) }
}
