import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ModuleManifest, type ModuleTensor, manifestHash, moduleManifestSchema, sha256Hash } from '../src/index.ts'

const tensor = (name: string, offset: number): ModuleTensor => ({
  name,
  elementType: 'int8',
  shape: [1, 4],
  offset,
  quantization: { scaleBits: 1_000_000_000, zeroPoint: -3, lo: -128, hi: 127 },
})
const layer = (index: number): ModuleManifest['layers'][number] => ({
  index,
  operator: 'dense',
  runExport: `l${index}`,
  traceExport: `t${index}`,
  boundary: tensor(`a${index + 1}`, 2048),
  runWork: '100',
  traceWork: '7',
})
const manifest: ModuleManifest = {
  kind: 'tacit.module',
  version: 1,
  profile: 'q8',
  moduleSha256: sha256Hash(new Uint8Array(3)),
  moduleBytes: 3,
  memoryPages: 1,
  inputs: [tensor('a0', 1024)],
  outputs: [tensor('a2', 1088)],
  layers: [layer(1), layer(0)],
  runExport: 'run',
  outputsExport: 'outputs',
  runWork: '214',
  weights: { kind: 'external', offset: 1024, sizeBytes: 64, sha256: sha256Hash(new Uint8Array(64)) },
}
const parse = (value: unknown) => moduleManifestSchema(value, 'manifest')

describe('a module manifest', () => {
  it('comes back from its JSON', () => {
    assert.deepEqual(parse(JSON.parse(JSON.stringify(manifest))), manifest)
  })

  it('is refused when anything in it is out of bounds, missing or unknown', () => {
    const wrong: readonly unknown[] = [
      { ...manifest, kind: 'other' },
      { ...manifest, version: 2 },
      { ...manifest, profile: 'fast' },
      { ...manifest, moduleSha256: '0x12' },
      { ...manifest, memoryPages: 0 },
      { ...manifest, memoryPages: 65_537 },
      { ...manifest, inputs: [tensor('a0', 65_533)] },
      { ...manifest, outputs: [{ ...tensor('a2', 0), shape: [2 ** 20] }] },
      { ...manifest, layers: [layer(0), layer(0)] },
      { ...manifest, layers: [layer(0), layer(2)] },
      { ...manifest, layers: [{ ...layer(0), runWork: '1.5' }, layer(1)] },
      { ...manifest, layers: [{ ...layer(0), runWork: 100 }, layer(1)] },
      { ...manifest, runExport: 'main' },
      { ...manifest, weights: { kind: 'external', offset: 65_000, sizeBytes: 1000, sha256: manifest.moduleSha256 } },
      { ...manifest, weights: { kind: 'remote' } },
      { ...manifest, extra: 1 },
      null,
      [],
    ]
    for (const value of wrong) assert.throws(() => parse(value), { code: 'protocol.malformed' }, JSON.stringify(value)?.slice(0, 80))
    for (const key of Object.keys(manifest)) {
      const { [key as keyof ModuleManifest]: _, ...rest } = manifest
      assert.throws(() => parse(rest), { code: 'protocol.malformed' }, key)
    }
  })

  it('has another hash when anything changes', () => {
    const hashes = [
      manifest,
      { ...manifest, runWork: '215' },
      { ...manifest, layers: [layer(0), layer(1)] },
      { ...manifest, profile: 'f32' as const },
    ].map(manifestHash)
    assert.equal(new Set(hashes).size, 4)
  })
})
