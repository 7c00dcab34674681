import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runQ8 } from '@tacit/model'
import { moduleTensorBytes } from '@tacit/protocol'
import { layerKinds, randomLayerSample, type Sample } from '../../model/test/q8-samples.ts'
import { type CompileOptions, compileModel } from '../src/index.ts'
import { bytesOf } from './run-compiled.ts'

async function boundariesOf({ model, inputs }: Sample, options: CompileOptions): Promise<readonly Uint8Array[]> {
  const { wasm, manifest } = await compileModel(model, options)
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm))
  const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
  const call = (name: string): void => (exports[name] as () => void)()
  for (const [i, { offset }] of manifest.inputs.entries()) memory.set(bytesOf(inputs[i] ?? new Int8Array(0)), offset)
  const boundaries: Uint8Array[] = []
  for (const { index, runExport, traceExport, boundary } of manifest.layers) {
    call(runExport)
    call(traceExport)
    boundaries[index] = memory.slice(boundary.offset, boundary.offset + moduleTensorBytes(boundary))
  }
  return boundaries
}

// They run in the reference interpreter and in layer proofs.
const refusedKinds: readonly string[] = ['denseTransposed', 'matmul', 'softmax', 'layerNorm', 'table']

describe('every kind of q8 layer', () => {
  for (const kind of layerKinds.filter((name) => refusedKinds.includes(name)))
    it(`is refused by name: ${kind}`, async () => {
      await assert.rejects(async () => compileModel(randomLayerSample(kind, 1).model, { profile: 'q8' }), { code: 'compiler.profile' })
    })

  for (const kind of layerKinds.filter((name) => !refusedKinds.includes(name)))
    it(`has the interpreter's bits: ${kind}`, async () => {
      for (let seed = 1; seed <= 60; seed++) {
        const sample = randomLayerSample(kind, seed)
        const expected = runQ8(sample.model, sample.inputs).activations.slice(sample.model.inputCount).map(bytesOf)
        for (const options of [{}, { obfuscate: { seed: `${seed}`, dummies: 0.5 } }]) {
          const boundaries = await boundariesOf(sample, { profile: 'q8', ...options })
          assert.deepEqual(boundaries.slice(0, expected.length), expected, `seed ${seed}`)
        }
      }
    })
})
