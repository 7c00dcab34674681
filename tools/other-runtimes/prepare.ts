// The payloads, with what they need made by this Node.
import { join } from 'node:path'
import { compileModel } from '@tacit/compiler'
import { parseOnnx, quantizeGraph } from '@tacit/model'
import { cnn, mlp, transformer } from '../../packages/compiler/bench/networks.ts'
import { repositoryRoot } from '../repository.ts'
import type { PreparedPayload } from './payload.ts'

export const payloadNames = ['models', 'fhe', 'proof'] as const

export async function preparePayloads(names: readonly string[] = payloadNames): Promise<readonly PreparedPayload[]> {
  const prepared: PreparedPayload[] = []
  for (const name of names) {
    const entry = join(repositoryRoot, `tools/other-runtimes/payloads/${name}.ts`)
    prepared.push({ name, entry, assets: name === 'models' ? await models() : new Map() })
  }
  return prepared
}

async function models(): Promise<ReadonlyMap<string, Uint8Array>> {
  const assets = new Map<string, Uint8Array>()
  const names: string[] = []
  const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
  const add = (name: string, { wasm, manifest }: Awaited<ReturnType<typeof compileModel>>, input: Uint8Array): void => {
    names.push(name)
    assets.set(`${name}.wasm`, wasm).set(`${name}.json`, text(manifest)).set(`${name}.bin`, input)
  }
  for (const { name, onnx, input } of [mlp('f32'), mlp('int8'), cnn('f32'), cnn('int8'), transformer('f32'), transformer('int8')]) {
    const graph = await parseOnnx(onnx)
    const bytes = new Uint8Array((input.data as Float32Array).slice().buffer) // these networks take float32
    add(name, await compileModel(graph, { profile: 'f32' }), bytes)
    add(`${name}.obfuscated`, await compileModel(graph, { profile: 'f32', obfuscate: { seed: 'elsewhere' } }), bytes)
  }
  const images = cnn('f32')
  const { q8 } = quantizeGraph(await parseOnnx(images.onnx), { inputs: [{ x: images.input }] })
  add(
    'cnn.q8',
    await compileModel(q8, { profile: 'q8' }),
    Uint8Array.from({ length: 3072 }, (_, i) => i * 31),
  )
  assets.set('models.json', text(names))
  return assets
}
