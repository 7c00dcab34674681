// One thread against two, through `loadModel` as a user calls it: inputs to the workers, run, outputs back. Interleaved blocks of
// runs; ratios are of minima, medians beside them. The bits are compared.
import { parseOnnx } from '@tacit/model'
import type { SandboxedModel } from '@tacit/runtime'
import { loadModel } from '@tacit/runtime/node'
import { compileModel } from '../src/index.ts'
import { transformer } from './networks.ts'

const rounds = 1200
/** Runs of one contender in a row: threads that were put to sleep by the other one's turn wake once per block. */
const block = 12
const warmUpMs = 1500

export async function threads(report: (line: string) => void): Promise<Record<string, number | null>> {
  const metrics: Record<string, number | null> = {}
  for (const network of [transformer('f32'), transformer('int8')]) {
    const { wasm, manifest } = await compileModel(await parseOnnx(network.onnx), { profile: 'f32', threads: 2 })
    await using one = await loadModel(wasm, manifest)
    await using two = await loadModel(wasm, manifest, { threads: 2 })
    if (two.threads.count !== 2) throw new Error(`two threads were not to be had: ${two.threads.note}`)
    const x = { type: 'f32' as const, shape: network.input.shape, data: network.input.data as Float32Array } // the networks take float32
    const run = async (model: SandboxedModel): Promise<Uint8Array> => {
      const { data } = (await model.run({ x })).outputs['y'] ?? { data: new Uint8Array(0) }
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    }
    if (Buffer.compare(await run(one), await run(two)) !== 0) throw new Error(`${network.name}: two threads change the answer`)
    const contenders = [one, two].map((model) => ({ model, times: [] as number[] }))
    for (const { model } of contenders) for (const end = performance.now() + warmUpMs; performance.now() < end; ) await run(model)
    for (let round = 0; round < rounds / block; round++)
      for (const { model, times } of contenders)
        for (let i = 0; i < block; i++) {
          const start = performance.now()
          await run(model)
          times.push(performance.now() - start)
        }
    const [single, double] = contenders.map(({ times }) => times.sort((a, b) => a - b))
    const ratio = (place: number): number => Number(((single?.[place] ?? 0) / (double?.[place] ?? 1)).toFixed(3))
    const show = (place: number): string => `${single?.[place]?.toFixed(3)} -> ${double?.[place]?.toFixed(3)} ms`
    report(`two threads ${network.name}: ${ratio(0)}x by minima (${show(0)}), ${ratio(rounds / 2)}x by medians (${show(rounds / 2)})`)
    metrics[`${network.name}.threads2_speedup`] = ratio(0)
    metrics[`${network.name}.threads2_median_speedup`] = ratio(rounds / 2)
  }
  return { ...metrics, threads2_speedup: metrics['transformer.f32.threads2_speedup'] ?? null }
}
