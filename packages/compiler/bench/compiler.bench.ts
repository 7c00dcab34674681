// Compiled modules against ONNX Runtime, in one process, in interleaved rounds, on one thread. Ratios are of minima; medians
// are printed beside them.
import { createHash } from 'node:crypto'
import { float32, parseOnnx, quantizeGraph, quantizeInput, type Tensor } from '@tacit/model'
import { type Baseline, openOrtNode, openOrtWeb } from '../../../bench/baselines/onnxruntime.ts'
import { type CompiledModel, compileModel } from '../src/index.ts'
import { openCompiled } from './compiled-runner.ts'
import { type BenchNetwork, cnn, mlp, randomUniform, transformer } from './networks.ts'
import { openPeak } from './peak.ts'
import { openReading } from './reading.ts'
import { threads } from './threads.ts'

type Metrics = Record<string, number | null>
type Contender = { readonly name: string; run(): unknown | Promise<unknown>; readonly times: number[]; readonly batch: number }

const rounds = 100
const warmUpMs = 1500

/** Multiply-accumulates of one run, by arithmetic. */
const work: Readonly<Record<string, { readonly f32: number; readonly int8: number }>> = {
  'mlp.f32': { f32: 784 * 512 + 512 * 256 + 256 * 10, int8: 0 },
  'mlp.int8': { f32: 0, int8: 784 * 512 + 512 * 256 + 256 * 10 },
  'cnn.f32': { f32: 32 * 32 * 27 * 16 + 16 * 16 * 144 * 32 + 8 * 8 * 288 * 64 + 10_240, int8: 0 },
  'cnn.int8': { f32: 10_240, int8: 32 * 32 * 27 * 16 + 16 * 16 * 144 * 32 + 8 * 8 * 288 * 64 },
  'transformer.f32': { f32: 64 * 256 * (768 + 256 + 2048) + 2 * 64 * 64 * 256, int8: 0 },
  'transformer.int8': { f32: 2 * 64 * 64 * 256, int8: 64 * 256 * (768 + 256 + 2048) },
}

export async function run(report: (line: string) => void): Promise<Metrics> {
  // First of all: later this process has the heaps of three other engines, and their collectors want a core too.
  const metrics: Metrics = await threads(report)
  const peaks = { f32: openPeak('f32'), int8: openPeak('int8') }
  Object.assign(metrics, await startup(report))
  for (const network of [mlp('f32'), mlp('int8'), cnn('f32'), cnn('int8'), transformer('f32'), transformer('int8')])
    Object.assign(metrics, await compare(network, peaks, report))
  Object.assign(metrics, await obfuscation(report))
  return metrics
}

/** Size and latency of obfuscated builds with default settings, the worst and the mean of four seeds, against the plain build. */
async function obfuscation(report: (line: string) => void): Promise<Metrics> {
  const metrics: Metrics = {}
  const totals = { size: [] as number[], latency: [] as number[] }
  for (const network of [mlp('int8'), cnn('f32'), transformer('int8')]) {
    const graph = await parseOnnx(network.onnx)
    const inputBytes = new Uint8Array(network.input.data.buffer, network.input.data.byteOffset, network.input.data.byteLength)
    const plain = await compileModel(graph, { profile: 'f32' })
    const batch = network.name.startsWith('transformer') ? 2 : 20
    const contender = (label: string, once: () => unknown): Contender => ({ name: label, run: once, times: [], batch })
    const reference = openCompiled(plain, inputBytes)
    const contenders = [contender('plain', reference.run)]
    const sizes: number[] = []
    for (const seed of ['a', 'b', 'c', 'd']) {
      const hidden = await compileModel(graph, { profile: 'f32', obfuscate: { seed } })
      const runner = openCompiled(hidden, inputBytes)
      if (Buffer.compare(runner.run(), reference.run()) !== 0) throw new Error(`${network.name}: seed ${seed} changes the answer`)
      sizes.push(hidden.wasm.length / plain.wasm.length)
      contenders.push(contender(seed, runner.run))
    }
    await interleave(contenders, () => undefined)
    const [base = 1, ...others] = contenders.map(({ times }) => Math.min(...times))
    const latencies = others.map((time) => time / base)
    totals.size.push(mean(sizes))
    totals.latency.push(mean(latencies))
    report(
      `obfuscation ${network.name}: size ${sizes.map((size) => size.toFixed(3)).join(' ')}, latency ${latencies.map((latency) => latency.toFixed(3)).join(' ')}`,
    )
    metrics[`obfuscation.${network.name}.size_ratio`] = round(mean(sizes))
    metrics[`obfuscation.${network.name}.latency_ratio`] = round(mean(latencies))
  }
  return {
    ...metrics,
    'obfuscation.size_ratio': round(Math.max(...totals.size)),
    'obfuscation.latency_ratio': round(Math.max(...totals.latency)),
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

async function compare(network: BenchNetwork, peaks: { f32(): number; int8(): number }, report: (line: string) => void): Promise<Metrics> {
  const { name, onnx, input } = network
  const graph = await parseOnnx(onnx)
  const compiled = await compileModel(graph, { profile: 'f32' })
  const inputBytes = new Uint8Array(input.data.buffer, input.data.byteOffset, input.data.byteLength)
  const ours = openCompiled(compiled, inputBytes)
  const [web, node] = [await openOrtWeb(onnx, input), await openOrtNode(onnx, input)]
  const difference = await largestDifference(ours.run(), node)
  const contender = (label: string, once: () => unknown): Contender => ({
    name: label,
    run: once,
    times: [],
    batch: name.startsWith('transformer') ? 2 : 20,
  })
  const contenders = [contender('ours', ours.run), contender('web', () => web.run()), contender('node', () => node.run())]
  const q8 = name.endsWith('int8') && !name.startsWith('transformer') ? await openQ8(name) : undefined
  if (q8 !== undefined) contenders.push(contender('q8', q8.run))
  // One row uses every weight once, so that reading them is a limit of its own.
  const reading = name === 'mlp.f32' ? contender('reading', openReading(4 * (work[name]?.f32 ?? 0))) : undefined
  if (reading !== undefined) contenders.push(reading)
  const peak = { f32: 0, int8: 0 }
  await interleave(contenders, () => {
    peak.f32 = Math.max(peak.f32, peaks.f32())
    peak.int8 = Math.max(peak.int8, peaks.int8())
  })
  await web.release()
  await node.release()
  const [best, webBest, nodeBest, q8Best] = contenders.map(({ times }) => Math.min(...times))
  const medians = contenders.map(({ name: label, times }) => `${label} ${median(times).toFixed(4)}`)
  report(
    `${name}: ours ${best?.toFixed(4)} ms, web ${webBest?.toFixed(4)}, node ${nodeBest?.toFixed(4)}${q8 === undefined || q8Best === undefined ? '' : `, q8 ${q8Best.toFixed(4)}`}; medians ${medians.join(', ')}; largest difference from onnxruntime-node ${difference.toExponential(1)}`,
  )
  const { f32 = 0, int8 = 0 } = work[name] ?? {}
  const metrics: Metrics = {
    [`${name}.ms`]: best ?? null,
    [`${name}.ortweb_speedup`]: ratio(webBest, best),
    [`${name}.ortweb_median_speedup`]: ratio(median(contenders[1]?.times ?? []), median(contenders[0]?.times ?? [])),
    [`${name}.ortnode_speedup`]: ratio(nodeBest, best),
    [`${name}.simd_peak_fraction`]: best === undefined ? null : round((f32 / peak.f32 + int8 / peak.int8) / best),
    [`${name}.ortnode_max_abs_difference`]: difference,
  }
  if (reading !== undefined) {
    const limit = Math.min(...reading.times)
    report(`${name}: only reading the weights takes ${limit.toFixed(4)} ms; no exact one-thread kernel is faster`)
    metrics[`${name}.reading_ms`] = limit
    metrics[`${name}.ortweb_speedup_of_reading_alone`] = ratio(webBest, limit)
  }
  if (q8 !== undefined) {
    const model = name.replace('.int8', '')
    metrics[`${model}.q8.ortweb_speedup`] = ratio(webBest, q8Best)
    metrics[`${model}.q8.ortnode_speedup`] = ratio(nodeBest, q8Best)
    metrics[`${model}.q8.float_agreement`] = q8.agreement
    metrics[`${model}.q8.float_max_abs_error`] = q8.maxAbsError
  }
  return metrics
}

/** The q8 form of the float network of the same shape, calibrated on eight random inputs and judged on 32 others. */
async function openQ8(name: string): Promise<{ run(): unknown; agreement: number; maxAbsError: number }> {
  const network = name.startsWith('mlp') ? mlp('f32') : cnn('f32')
  const graph = await parseOnnx(network.onnx)
  const sample = (seed: number): { x: Tensor } => {
    const random = randomUniform(seed)
    const values = Float32Array.from({ length: network.input.data.length }, () => (random() + random() + random() - 1.5) * 1.4)
    return { x: float32(network.input.shape, values) }
  }
  const inputs = Array.from({ length: 8 }, (_, i) => sample(100 + i))
  const evaluation = Array.from({ length: 32 }, (_, i) => sample(200 + i))
  const { q8, report } = quantizeGraph(graph, { inputs, evaluation })
  const [boundary] = q8.boundaries
  if (boundary === undefined) throw new Error('a q8 network without boundaries')
  const quantized = quantizeInput(boundary, network.input.data as Float32Array)
  const runner = openCompiled(await compileModel(q8, { profile: 'q8' }), new Uint8Array(quantized.buffer))
  return { run: runner.run, agreement: report.agreement, maxAbsError: report.maxAbsError }
}

async function largestDifference(ours: Uint8Array, baseline: Baseline): Promise<number> {
  const expected = await baseline.run()
  const values = new Float32Array(ours.slice().buffer)
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (values[i] ?? Number.NaN))), 0)
}

async function interleave(contenders: readonly Contender[], between: () => void): Promise<void> {
  // Until the engine has compiled everything for speed, which it does on another thread that a loaded machine may keep waiting.
  for (const { run: once, batch } of contenders) {
    const end = performance.now() + warmUpMs
    for (let i = 0; i < 15 * batch || performance.now() < end; i++) await once()
  }
  await new Promise((resolve) => setTimeout(resolve, 300))
  for (let round = 0; round < rounds; round++) {
    for (const { run: once, times, batch } of contenders) {
      const start = performance.now()
      for (let i = 0; i < batch; i++) {
        const result = once()
        if (result instanceof Promise) await result
      }
      times.push((performance.now() - start) / batch)
    }
    between()
  }
}

/** Compile and instantiate a module and run it once, against creating an ONNX Runtime session; and how fast we compile. */
async function startup(report: (line: string) => void): Promise<Metrics> {
  const network = mlp('f32')
  const graph = await parseOnnx(network.onnx)
  const inputBytes = new Uint8Array(network.input.data.buffer.slice(0)) as Uint8Array
  const start = performance.now()
  const web = await openOrtWeb(network.onnx, network.input)
  await web.run()
  const cold = performance.now() - start
  const again = performance.now()
  const second = await openOrtWeb(network.onnx, network.input)
  await second.run()
  const warm = performance.now() - again
  await web.release()
  await second.release()
  const compiled: CompiledModel = await compileModel(graph, { profile: 'f32' })
  const ours = Math.min(
    ...Array.from({ length: 5 }, () => {
      const from = performance.now()
      openCompiled(compiled, inputBytes).run()
      return performance.now() - from
    }),
  )
  const compileTimes: number[] = []
  for (let i = 0; i < 5; i++) {
    const from = performance.now()
    await compileModel(graph, { profile: 'f32' })
    compileTimes.push(performance.now() - from)
  }
  const megabytes = network.onnx.length / 1e6
  report(
    `start-up (mlp.f32): ours ${ours.toFixed(2)} ms, onnxruntime-web cold ${cold.toFixed(0)} ms, second session ${warm.toFixed(1)} ms; compile ${Math.min(...compileTimes).toFixed(1)} ms`,
  )
  report(`module hash ${createHash('sha256').update(compiled.wasm).digest('hex').slice(0, 16)}`)
  return {
    'startup.ms': ours,
    'startup.ortweb_speedup': ratio(cold, ours),
    'startup.ortweb_second_session_speedup': ratio(warm, ours),
    'compile.ms_per_mb': round(Math.min(...compileTimes) / megabytes),
  }
}

function ratio(other: number | undefined, ours: number | undefined): number | null {
  return other === undefined || ours === undefined ? null : round(other / ours)
}

function round(value: number): number {
  return Number(value.toFixed(3))
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
