// Wall time of one and of two threads on the same requests, and whether their bytes are equal.
import { randomBytes } from 'node:crypto'
import type { Metrics } from '../../../tools/bench.ts'
import { encodeInput } from '../src/circuit/client-codec.ts'
import { encodeEvaluationKeys, generateKeys } from '../src/ckks/evaluation-keys.ts'
import { encryptSeeded } from '../src/ckks/seeded-ciphertext.ts'
import { CircuitSession, encodeNetwork, getParameters, keyNeedsOf, planCircuit, type SquareNetwork } from '../src/index.ts'
import { createRing } from '../src/internal/ring.ts'
import { createCrew } from '../src/node/index.ts'
import { createGenerator, createImage } from './networks.ts'

const random = (size: number): Uint8Array => new Uint8Array(randomBytes(size))
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

export async function benchThreads(network: SquareNetwork, report: (line: string) => void): Promise<Metrics> {
  const plan = planCircuit(network)
  const encoded = encodeNetwork(network, plan)
  const ring = createRing(getParameters(plan.parameters))
  const { secretKey, evaluationKeys } = generateKeys(ring, keyNeedsOf(plan), random)
  const keySet = encodeEvaluationKeys(evaluationKeys)
  await using crew = createCrew(2)
  const one = new CircuitSession(encoded, keySet, { random })
  const two = new CircuitSession(encoded, keySet, { random, createRunner: crew.createRunner })
  await crew.ready()
  const generator = createGenerator(5)
  const times: { readonly one: number[]; readonly two: number[] } = { one: [], two: [] }
  let same = 0
  // In blocks, alternating: a session that serves several requests in a row finds its keys in the cache, on one thread and on two.
  const [blocks, perBlock] = [16, 8]
  for (let block = 0; block < blocks; block++) {
    const requests = Array.from({ length: perBlock }, () =>
      encryptSeeded(ring, secretKey, encodeInput(plan, createImage(generator)), { level: plan.level, random }),
    )
    const answers = requests.map((request) => {
      const start = performance.now()
      const answer = two.evaluate(request)
      if (block > 1) times.two.push(performance.now() - start)
      return answer
    })
    requests.forEach((request, i) => {
      const { response, maskSeed } = answers[i] ?? { response: new Uint8Array(), maskSeed: new Uint8Array(32) }
      const start = performance.now()
      const other = one.reevaluate(request, maskSeed)
      if (block > 1) times.one.push(performance.now() - start)
      if (Buffer.from(other).equals(Buffer.from(response))) same++
    })
  }
  const runs = blocks * perBlock
  const [oneMs, twoMs] = [median(times.one), median(times.two)]
  report(
    `threads: one ${oneMs.toFixed(2)} ms, two ${twoMs.toFixed(2)} ms wall (best ${Math.min(...times.two).toFixed(2)}), equal bytes ${same} of ${runs}`,
  )
  const round = (value: number): number => Number(value.toFixed(2))
  return {
    'mlp.threads1_wall_ms': round(oneMs),
    'mlp.threads2_wall_ms': round(twoMs),
    'mlp.threads2_speedup': round(oneMs / twoMs),
    // What two free cores give: medians mean little when other work holds one of them.
    'mlp.threads2_best_speedup': round(Math.min(...times.one) / Math.min(...times.two)),
    'mlp.threads2_identical': same / runs,
  }
}
