// What the range argument of a registration costs: once per model, for the owner; verified once by whoever cares.
import type { LayerSpec } from '@tacit/protocol'
import { commitWeights } from '../src/commit/weights.ts'
import type { ProofEngine } from '../src/engine.ts'
import { proveRegistration } from '../src/registration-range/prove-registration.ts'
import { verifyRegistration } from '../src/registration-range/verify-registration.ts'
import { convolutionSpec, denseSpec, random, randomWeights, seeded } from '../test/support/layers.ts'

const layers: readonly (readonly [name: string, spec: LayerSpec, parameters: number])[] = [
  ['dense64', denseSpec({ inputSize: 64, outputSize: 64, inputChunk: 64, outputChunk: 64, slots: 2 }), 64 * 64],
  ['dense1024', denseSpec({ inputSize: 1024, outputSize: 1024, inputChunk: 512, outputChunk: 512, slots: 4 }), 1024 * 1024],
  [
    'conv',
    convolutionSpec({
      window: { channels: 32, height: 16, width: 16, kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] },
      outputChannels: 64,
      outputPlanes: 1,
      slots: 4,
    }),
    64 * 32 * 9,
  ],
]

/** CPU milliseconds, bytes and kernel memory of each layer, and per million parameters of the largest. */
export async function measureRegisterRange(
  engine: ProofEngine,
  report: (line: string) => void,
  cpuMs: <T>(work: () => Promise<T> | T) => Promise<readonly [number, T]>,
): Promise<Readonly<Record<string, number>>> {
  const metrics: Record<string, number> = {}
  const bounds = { multiplierBits: 15, biasBits: 40 }
  for (const [name, spec, parameters] of layers) {
    const weights = await commitWeights(spec, randomWeights(spec, seeded(1)), { engine, layerIndex: 0, seed: random(32) })
    const [proveMs, proof] = await cpuMs(() => proveRegistration(weights, { engine, random, bounds }))
    const [verifyMs, verdict] = await cpuMs(() => verifyRegistration(weights.registration, proof, { engine, layerIndex: 0, bounds }))
    if (!verdict.ok) throw new Error(`The range argument of ${name} does not verify: ${verdict.failedCheck}.`)
    report(`register range ${name}: prove ${proveMs.toFixed(0)} ms, verify ${verifyMs.toFixed(0)} ms, ${proof.length} bytes`)
    metrics[`register_range.${name}_prove_ms`] = Math.round(proveMs)
    metrics[`register_range.${name}_verify_ms`] = Math.round(verifyMs)
    metrics[`register_range.${name}_proof_bytes`] = proof.length
    if (name === 'dense1024') {
      metrics['register_range.prove_ms_per_mparam'] = Math.round((proveMs * 1e6) / parameters)
      metrics['register_range.verify_ms_per_mparam'] = Math.round((verifyMs * 1e6) / parameters)
      metrics['register_range.proof_bytes_per_mparam'] = Math.round((proof.length * 1e6) / parameters)
    }
  }
  metrics['register_range.kernel_mib'] = Math.round(engine.memoryBytes / 2 ** 20)
  return metrics
}
