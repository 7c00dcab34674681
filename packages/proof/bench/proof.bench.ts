// npm run bench -- proof: CPU milliseconds of one thread, medians of several runs in one process, beside EZKL's WebAssembly engine.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { importQ8 } from '../../model/src/q8/import-q8.ts'
import { parseOnnx } from '../../model/src/onnx/parse-onnx.ts'
import { createProofEngine, type ProofEngine } from '../src/engine.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import type { QuantisedNetwork } from '../src/network/quantised-network.ts'
import { assignJobs } from '../src/network/plan-jobs.ts'
import { verifyNetwork } from '../src/network/verify-network.ts'
import { proveLayer } from '../src/prover/prove-layer.ts'
import { verifyLayers } from '../src/verifier/verify-layer.ts'
import { blockInput, gpt2Block } from '../test/support/gpt2-block.ts'
import { random, seeded } from '../test/support/layers.ts'
import { proveInference, type Registered, registerNetwork, runNetwork } from '../test/support/prove-network.ts'
import { cifarNetwork, denseChain, gpt2Linear } from './networks.ts'
import { measureRegisterRange } from './register-range.ts'

type Report = (line: string) => void
const root = join(import.meta.dirname, '../../..')

async function cpuMs<T>(work: () => Promise<T> | T): Promise<readonly [number, T]> {
  const before = process.cpuUsage()
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return [(user + system) / 1000, result]
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const rounded = (value: number): number => Math.round(value * 100) / 100

type Measured = {
  readonly registerMs: number
  readonly runMs: number
  readonly proveMs: number
  readonly verifyMs: number
  readonly proofBytes: number
  readonly spread: string
}

async function measure(
  engine: ProofEngine,
  network: QuantisedNetwork,
  runs: number,
  report: Report,
  name: string,
  given?: Int8Array,
): Promise<Measured> {
  const described = describeNetwork(network)
  const [registerMs, registered] = await cpuMs(() => registerNetwork(engine, described))
  const next = seeded(7)
  const size = (network.boundaries[0]?.shape ?? []).reduce((product, n) => product * n, 1)
  const input = given ?? Int8Array.from({ length: size }, () => Math.floor(next() * 256) - 128)
  const [proving, verifying, running] = [[] as number[], [] as number[], [] as number[]]
  let proofBytes = 0
  for (let run = 0; run < runs; run++) {
    const [runMs, tensors] = await cpuMs(() => runNetwork(engine, described, [input]))
    const [proveMs, { proof, options }] = await cpuMs(() => proveInference(engine, registered, tensors))
    const [verifyMs, verdict] = await cpuMs(() => verifyNetwork(registered.network, proof, options))
    if (!verdict.ok) throw new Error(`${name} does not verify: ${JSON.stringify(verdict)}`)
    proofBytes = proof.proofs.reduce((sum, bytes) => sum + bytes.length, 0)
    running.push(runMs)
    proving.push(proveMs)
    verifying.push(verifyMs)
  }
  const spread = `prove ${Math.min(...proving).toFixed(1)}-${Math.max(...proving).toFixed(1)}, verify ${Math.min(...verifying).toFixed(1)}-${Math.max(...verifying).toFixed(1)}`
  report(`${name}: prove ${median(proving).toFixed(1)} ms, verify ${median(verifying).toFixed(1)} ms, ${proofBytes} bytes (${spread})`)
  return { registerMs, runMs: median(running), proveMs: median(proving), verifyMs: median(verifying), proofBytes, spread }
}

function child(script: string, ...parameters: string[]): Readonly<Record<string, number>> {
  const { stdout, status, stderr } = spawnSync(
    process.execPath,
    ['--conditions=tacit-source', join(import.meta.dirname, script), ...parameters],
    {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    },
  )
  if (status !== 0) throw new Error(`${script} failed: ${stderr.slice(-500)}`)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, number>
}

/** See `npm run bench`. */
export async function run(report: Report): Promise<Readonly<Record<string, number | null>>> {
  const engine = await createProofEngine()
  const metrics: Record<string, number | null> = {}
  const dense64 = await measure(engine, denseChain([64, 64]), 15, report, 'dense 64x64 + bias + requantise + ReLU')
  metrics['dense64.prove_ms'] = rounded(dense64.proveMs)
  metrics['dense64.verify_ms'] = rounded(dense64.verifyMs)
  metrics['dense64.proof_bytes'] = dense64.proofBytes
  const cache = join(root, '.cache')
  if (!existsSync(join(cache, 'ezkl-srs-13.bin')))
    spawnSync(process.execPath, ['--conditions=tacit-source', join(import.meta.dirname, 'ezkl-child.ts'), cache, 'prepare'])
  const ezkl = child('ezkl-child.ts', cache)
  const ours = child('measure-child.ts')
  report(`EZKL 21 (dense 64x64 + bias + ReLU, no requantisation, public output): ${JSON.stringify(ezkl)}`)
  metrics['dense64.ezkl_prove_ms'] = rounded(ezkl['proveMs'] ?? Number.NaN)
  metrics['dense64.ezkl_verify_ms'] = rounded(ezkl['verifyMs'] ?? Number.NaN)
  metrics['dense64.ezkl_prove_speedup'] = rounded((ezkl['proveMs'] ?? Number.NaN) / dense64.proveMs)
  metrics['dense64.ezkl_verify_speedup'] = rounded((ezkl['verifyMs'] ?? Number.NaN) / dense64.verifyMs)
  metrics['dense64.ezkl_rss_ratio'] = rounded((ours['maxRssKiB'] ?? Number.NaN) / (ezkl['maxRssKiB'] ?? Number.NaN))

  for (const name of ['digits-relu', 'digits-square']) {
    const model = importQ8(parseOnnx(readFileSync(join(root, 'zoo/digits', `${name}.int8.onnx`))))
    const digits = await measure(engine, model, 9, report, name)
    metrics[`${name.replace('-', '_')}.prove_ms`] = rounded(digits.proveMs)
    metrics[`${name.replace('-', '_')}.verify_ms`] = rounded(digits.verifyMs)
  }
  metrics['digits.prove_ms'] = Math.max(metrics['digits_relu.prove_ms'] ?? 0, metrics['digits_square.prove_ms'] ?? 0)
  metrics['digits.verify_ms'] = Math.max(metrics['digits_relu.verify_ms'] ?? 0, metrics['digits_square.verify_ms'] ?? 0)

  const chain = denseChain([1024, 1024, 1024, 1024, 1024])
  const dense4m = await measure(engine, chain, 5, report, 'dense 4M, four chained 1024x1024')
  metrics['dense4m.prove_ms'] = rounded(dense4m.proveMs)
  metrics['dense4m.verify_ms'] = rounded(dense4m.verifyMs)
  metrics['dense4m.proof_bytes'] = dense4m.proofBytes
  metrics['dense4m.commit_ms'] = rounded(dense4m.registerMs)
  metrics['register_ms_per_mparam'] = rounded(dense4m.registerMs / ((4 * 1024 * 1024) / 1e6))
  metrics['prove_over_inference'] = rounded(dense4m.proveMs / dense4m.runMs)
  Object.assign(metrics, await sharing(engine, chain, report))
  Object.assign(metrics, await measureRegisterRange(engine, report, cpuMs))

  const cnn = await measure(engine, cifarNetwork(), 5, report, 'CNN of the published comparison')
  metrics['cnn264k.prove_ms'] = rounded(cnn.proveMs)
  metrics['cnn264k.verify_ms'] = rounded(cnn.verifyMs)
  metrics['cnn264k.proof_bytes'] = cnn.proofBytes
  report('Published, on other hardware (many cores) and without hiding the weights: DeepProve 2,335 ms (dense 4M) and 1,242 ms (CNN);')
  report('EZKL 126,800 ms and 196,600 ms.')

  for (const tokens of [1, 32]) {
    let total = 0
    for (const network of gpt2Linear(tokens))
      total += (await measure(engine, network, 1, report, `GPT-2 block, one product, ${tokens} tokens`)).proveMs
    metrics[`gpt2_block_linear_${tokens}.prove_ms`] = rounded(total)
  }
  Object.assign(metrics, await block(engine, report))
  return metrics
}

// A complete GPT-2 block: 768 wide, 12 heads, 3,072 hidden, causal; weights are random, which proving time does not depend on.
async function block(engine: ProofEngine, report: Report): Promise<Record<string, number>> {
  const metrics: Record<string, number> = {}
  for (const tokens of [1, 32]) {
    const sizes = { tokens, width: 768, heads: 12, hidden: 3072 }
    const name = `GPT-2 block, complete, random weights, ${tokens} ${tokens === 1 ? 'token' : 'tokens'}`
    const measured = await measure(engine, gpt2Block(sizes), tokens === 1 ? 3 : 1, report, name, blockInput(sizes))
    const prefix = tokens === 1 ? 'gpt2_block' : `gpt2_block_${tokens}`
    metrics[`${prefix}.prove_ms`] = rounded(measured.proveMs)
    metrics[`${prefix}.verify_ms`] = rounded(measured.verifyMs)
    metrics[`${prefix}.proof_bytes`] = measured.proofBytes
    metrics[`${prefix}.register_ms`] = rounded(measured.registerMs)
  }
  return metrics
}

// One more proof of the same model in a batch, and how evenly four provers share the work.
async function sharing(engine: ProofEngine, chain: QuantisedNetwork, report: Report): Promise<Record<string, number>> {
  const described = describeNetwork(chain)
  const registered: Registered = await registerNetwork(engine, described)
  const tensors = runNetwork(engine, described, [new Int8Array(1024).fill(3)])
  const { jobs } = await proveInference(engine, registered, tensors)
  const times: number[] = []
  const layers: { statement: (typeof jobs)[number]['statement']; proof: Uint8Array }[] = []
  for (const job of jobs) {
    const weights = registered.secrets[job.layer]
    const prove = () => proveLayer(job.statement, { ...job, ...(weights === undefined ? {} : { weights }) }, { engine, random })
    const runs: number[] = []
    let proof = await prove()
    for (let run = 0; run < 5; run++) {
      const [ms, next] = await cpuMs(prove)
      runs.push(ms)
      proof = next
    }
    times.push(median(runs))
    if (job.layer === 0) for (let k = 0; k < 9; k++) layers.push({ statement: job.statement, proof: k === 0 ? proof : await prove() })
  }
  const singles: number[] = []
  const batches: number[] = []
  for (let run = 0; run < 5; run++) {
    singles.push((await cpuMs(() => verifyLayers(layers.slice(0, 1), { engine })))[0])
    batches.push((await cpuMs(() => verifyLayers(layers, { engine })))[0])
  }
  const [one, nine] = [median(singles), median(batches)]
  const shares = assignJobs(jobs, 4).map((share) => share.reduce((sum, job) => sum + (times[job] ?? 0), 0))
  const makespan = Math.max(...shares) / (times.reduce((sum, ms) => sum + ms, 0) / 4)
  report(`marginal verification: one proof ${one.toFixed(1)} ms, nine ${nine.toFixed(1)} ms`)
  return { marginal_verify_ms: rounded((nine - one) / 8), 'provers4.makespan_ratio': rounded(makespan) }
}
