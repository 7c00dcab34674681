// npm run bench -- verifier-trace: how long verifier programs are and what a trace costs whoever asserts or challenges; CPU milliseconds of one
// thread, medians. Programs and their roots are made once per layer of a model, traces once per disputed proof.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { importQ8 } from '../../model/src/q8/import-q8.ts'
import { parseOnnx } from '../../model/src/onnx/parse-onnx.ts'
import { createProofEngine, type ProofEngine } from '../src/engine.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import type { QuantisedNetwork } from '../src/network/quantised-network.ts'
import { buildVerifier } from '../src/trace/build-verifier.ts'
import { traceVerification } from '../src/trace/trace.ts'
import { seeded } from '../test/support/layers.ts'
import { proveInference, registerNetwork, runNetwork } from '../test/support/prove-network.ts'
import { cifarNetwork, denseChain } from './networks.ts'

const root = join(import.meta.dirname, '../../..')
const RUNS = 5

function cpuMs<T>(work: () => T): readonly [number, T] {
  const times: number[] = []
  let result = work()
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage()
    result = work()
    const { user, system } = process.cpuUsage(before)
    times.push((user + system) / 1000)
  }
  return [times.sort((a, b) => a - b)[RUNS >> 1] ?? Number.NaN, result]
}

type Layer = { readonly nodes: number; readonly depth: number; readonly programMs: number; readonly traceMs: number }

// Program with its root, then trace with its root, of every layer of one inference.
async function measure(engine: ProofEngine, network: QuantisedNetwork): Promise<readonly Layer[]> {
  const described = describeNetwork(network)
  const registered = await registerNetwork(engine, described)
  const next = seeded(7)
  const size = (network.boundaries[0]?.shape ?? []).reduce((product, n) => product * n, 1)
  const tensors = runNetwork(engine, described, [Int8Array.from({ length: size }, () => Math.floor(next() * 256) - 128)])
  const { jobs, proof } = await proveInference(engine, registered, tensors)
  return jobs.map(({ statement }, k) => {
    const [programMs, program] = cpuMs(() => {
      const built = buildVerifier(statement.spec, { engine })
      return { built, root: built.root }
    })
    const [traceMs, trace] = cpuMs(() => {
      const made = traceVerification(statement, proof.proofs[k] ?? new Uint8Array(0), { engine, program: program.built })
      return { made, root: made.root }
    })
    if (!trace.made.verdict) throw new Error('A program refuses a right proof.')
    return { nodes: program.built.count, depth: program.built.tree.depth, programMs, traceMs }
  })
}

/** See `npm run bench`. */
export async function run(report: (line: string) => void): Promise<Readonly<Record<string, number>>> {
  const engine = await createProofEngine()
  const zoo = (name: string): QuantisedNetwork => importQ8(parseOnnx(readFileSync(join(root, 'zoo/digits', `${name}.int8.onnx`))))
  const networks = {
    dense64: denseChain([64, 64]),
    digits_relu: zoo('digits-relu'),
    digits_square: zoo('digits-square'),
    dense1024: denseChain([1024, 1024]),
    cnn264k: cifarNetwork(),
  }
  const metrics: Record<string, number> = {}
  for (const [name, network] of Object.entries(networks)) {
    const layers = await measure(engine, network)
    const largest = layers.reduce((a, b) => (b.nodes > a.nodes ? b : a))
    report(`${name}: nodes per layer ${layers.map(({ nodes }) => nodes).join(', ')}`)
    metrics[`${name}.nodes`] = largest.nodes
    metrics[`${name}.depth`] = largest.depth
    metrics[`${name}.program_ms`] = Math.round(largest.programMs)
    metrics[`${name}.trace_ms`] = Math.round(largest.traceMs)
  }
  metrics['peak_rss_mib'] = Math.round(process.resourceUsage().maxRSS / 1024)
  return metrics
}
