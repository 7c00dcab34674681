import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { type ActivationOpening, commitActivation } from '../src/commit/activation.ts'
import { commitWeights, type LayerRegistration, registerLayer, type SecretWeights } from '../src/commit/weights.ts'
import { createProofEngine, type ProofEngine } from '../src/engine.ts'
import { decodeNetworkProof, encodeNetworkProof } from '../src/network/encoding.ts'
import { boundaryLayouts, networkDigest, type ProvableNetwork } from '../src/network/network.ts'
import { assignJobs, planJobs } from '../src/network/plan-jobs.ts'
import { type NetworkProof, verifyNetwork } from '../src/network/verify-network.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { context, denseSpec, evaluate, random, randomTensor, randomWeights, requantisation, seeded } from './support/layers.ts'

const window = { channels: 1, height: 6, width: 6, kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] }
const pool = { channels: 3, height: 6, width: 6, kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] }
const specs: readonly LayerSpec[] = [
  {
    kind: 'conv',
    window,
    outputChannels: 3,
    group: 1,
    inputPlanes: 1,
    outputPlanes: 1,
    slots: 3,
    inputZeroPoint: -128,
    requantisation: requantisation(),
  },
  { kind: 'maxPool', window: pool, planes: 1, slots: 3 },
  denseSpec({ inputSize: 27, outputSize: 10, inputChunk: 9, outputChunk: 10, slots: 5 }),
  {
    kind: 'add',
    size: 10,
    chunk: 10,
    slots: 5,
    zeroPointA: -128,
    zeroPointB: -128,
    multiplierA: 16_384,
    multiplierB: 16_384,
    bias: 0,
    requantisation: requantisation({ shift: 15, excessBits: 10 }),
  },
  { kind: 'argmax', size: 10, chunk: 10, slots: 5 },
]
const reads = [[0], [1], [2], [3, 3], [4]]

async function infer(engine: ProofEngine, seed: number) {
  const next = seeded(seed)
  const place = context()
  const secrets: (SecretWeights | undefined)[] = []
  const registrations: LayerRegistration[] = []
  const blinding = random(32)
  for (const [layerIndex, spec] of specs.entries()) {
    const options = { engine, layerIndex, seed: blinding }
    const secret = spec.kind === 'dense' || spec.kind === 'conv' ? await commitWeights(spec, randomWeights(spec, next), options) : undefined
    secrets.push(secret)
    registrations.push(secret?.registration ?? registerLayer(spec, options))
  }
  const network: ProvableNetwork = {
    inputCount: 1,
    layers: registrations.map((registration, k) => ({ registration, inputs: reads[k] ?? [] })),
    outputs: [5],
  }
  const layouts = boundaryLayouts(network)
  const boundaries: ActivationOpening[] = []
  for (const [k, layout] of layouts.entries()) {
    const spec = specs[k - 1]
    const inputs = (reads[k - 1] ?? []).map((b) => boundaries[b]?.values ?? new Int8Array(0))
    const values = spec === undefined ? randomTensor(36, next) : evaluate(engine, spec, inputs, secrets[k - 1]?.values)
    boundaries.push(await commitActivation(values, layout, { engine, random }))
  }
  const { layerIndex: _, ...request } = place
  const jobs = planJobs(network, boundaries, request)
  const proofs: Uint8Array[] = []
  for (const job of jobs) {
    const weights = secrets[job.layer]
    proofs.push(await proveLayer(job.statement, { ...job, ...(weights === undefined ? {} : { weights }) }, { engine, random }))
  }
  const proof: NetworkProof = { boundaries: boundaries.map((b) => b.commitment), proofs }
  const expected = {
    network: networkDigest(network),
    inputs: [boundaries[0]?.commitment ?? '0x'],
    outputs: [boundaries[5]?.commitment ?? '0x'],
  } as const
  return { network, jobs, proof, options: { engine, context: request, expected } }
}

describe('networks', async () => {
  const engine = await createProofEngine()
  const { network, jobs, proof, options } = await infer(engine, 9)

  it('convolution, pool, dense, residual and argmax verify as one inference', () => {
    assert.deepEqual(verifyNetwork(network, decodeNetworkProof(encodeNetworkProof(proof)), options), { ok: true })
    assert.match(networkDigest(network), /^0x[0-9a-f]{64}$/)
  })

  it('refuses missing, surplus, swapped and duplicated layers', () => {
    const [p0, p1, p2, p3, p4] = proof.proofs as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array]
    for (const proofs of [
      [p0, p1, p2, p3],
      [p0, p1, p2, p3, p4, p4],
      [p1, p0, p2, p3, p4],
      [p0, p1, p2, p4, p3],
      [p0, p0, p2, p3, p4],
    ])
      assert.equal(verifyNetwork(network, { ...proof, proofs }, options).ok, false)
  })

  it('refuses another input, output, request, payee, model and wiring', () => {
    const ends = options.expected
    const reject = (changed: Partial<typeof options>, check: string): void => {
      const verdict = verifyNetwork(network, proof, { ...options, ...changed })
      assert.equal(verdict.ok, false)
      assert.equal(verdict.ok || verdict.failedCheck, check)
    }
    const commitments = proof.boundaries
    reject({ expected: { ...ends, inputs: [commitments[5] ?? '0x'] } }, 'input')
    reject({ expected: { ...ends, outputs: [commitments[4] ?? '0x'] } }, 'output')
    const other = context(0, 8)
    reject({ context: { ...options.context, requestId: other.requestId } }, 'equation')
    reject({ context: { ...options.context, nonce: other.requestId } }, 'equation')
    reject({ context: { ...options.context, payee: options.context.registry } }, 'equation')
    reject({ context: { ...options.context, chainId: '1' } }, 'equation')
    reject({ context: { ...options.context, modelId: other.requestId as never } }, 'equation')
    reject({ expected: { ...ends, network: other.requestId } }, 'network')
    const rewired = { ...network, layers: network.layers.map((layer, k) => (k === 3 ? { ...layer, inputs: [3, 5] } : layer)) }
    assert.deepEqual(verifyNetwork(rewired, proof, { ...options, expected: { ...ends, network: networkDigest(rewired) } }), {
      ok: false,
      failedCheck: 'network',
    })
    const swapped = { ...network, layers: [network.layers[1], network.layers[0], ...network.layers.slice(2)] as typeof network.layers }
    assert.deepEqual(verifyNetwork(swapped, proof, { ...options, expected: { ...ends, network: networkDigest(swapped) } }), {
      ok: false,
      failedCheck: 'network',
    })
  })

  it('refuses a boundary that was exchanged between two layers', async () => {
    const other = await infer(engine, 10)
    for (let k = 0; k < proof.boundaries.length; k++) {
      const boundaries = proof.boundaries.map((points, b) => (b === k ? (other.proof.boundaries[b] ?? '0x') : points))
      assert.equal(verifyNetwork(network, { ...proof, boundaries }, options).ok, false)
    }
  })

  it('decodes only what it encodes', () => {
    const bytes = encodeNetworkProof(proof)
    for (const bad of [
      bytes.subarray(1),
      bytes.subarray(0, -1),
      Uint8Array.from([...bytes, 0]),
      new Uint8Array(0),
      new Uint8Array(64).fill(255),
    ])
      assert.throws(() => decodeNetworkProof(bad), { code: 'protocol.malformed' })
  })

  it('shares jobs out evenly', () => {
    assert.deepEqual(assignJobs(jobs, 2).flat().sort(), [0, 1, 2, 3, 4])
    assert.equal(assignJobs(jobs, 8).length, 8)
  })
})
