// What the attacks recover is published in docs/limits.md; these tests keep the page true, in both directions.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parseOnnx, quantizeGraph } from '@tacit/model'
import { cnn, mlp } from '../bench/networks.ts'
import {
  attackCollude,
  attackExtract,
  attackExtractTraced,
  attackReport,
  type CompileOptions,
  compileModel,
  holderSeed,
  recoveryRate,
  traceLeak,
  trueLayers,
} from '../src/index.ts'

const ownerSecret = new Uint8Array(32).fill(9)
const network = mlp('f32', [96, 64, 48, 10])
const graph = await parseOnnx(network.onnx)
const { q8 } = quantizeGraph(graph, { inputs: [{ x: network.input }] })

describe('the extraction attack', () => {
  for (const [name, model, profile] of [
    ['mlp f32', graph, 'f32'],
    ['mlp q8', q8, 'q8'],
  ] as const)
    it(`recovers every weight of an obfuscated module without a trace: ${name}`, async () => {
      const compiled = await compileModel(model, { profile, obfuscate: { seed: 'secret', dummies: 1, decoys: 1 } })
      const extraction = attackExtract(compiled)
      const rate = recoveryRate(extraction.layers, trueLayers(model))
      assert.equal(rate.weights, 1)
      assert.equal(rate.units, 1)
      assert.ok(extraction.dummies >= 2, 'dummies are told from layers')
      assert.ok(rate.inPlace < 0.2, 'the order of units is hidden without a trace')
      const traced = recoveryRate(attackExtractTraced(compiled).layers, trueLayers(model))
      assert.ok(traced.inPlace > 0.95, 'and not hidden with one; units that never answer may be swapped')
    })

  it('recovers every weight of a convolutional network', async () => {
    const images = cnn('f32')
    const image = quantizeGraph(await parseOnnx(images.onnx), { inputs: [{ x: images.input }] }).q8
    const extraction = attackExtract(await compileModel(image, { profile: 'q8', obfuscate: { seed: 's' } }))
    assert.equal(recoveryRate(extraction.layers, trueLayers(image)).weights, 1)
  })

  it('finds permuted channels of float convolutions, and their order with a trace only', async () => {
    const images = parseOnnx(cnn('f32').onnx)
    const compiled = await compileModel(images, { profile: 'f32', obfuscate: { seed: 'channels' } })
    const rate = recoveryRate(attackExtract(compiled).layers, trueLayers(images))
    assert.equal(rate.weights, 1)
    assert.ok(rate.inPlace < 0.4, `${rate.inPlace} of the units are in place`)
    const traced = recoveryRate(attackExtractTraced(compiled).layers, trueLayers(images))
    assert.ok(traced.weights === 1 && traced.inPlace > 0.85, 'channels that never answer may be swapped')
  })

  it('tells the next pixel of an image with one channel from more channels', async () => {
    const digits = parseOnnx(readFileSync(new URL('../../../zoo/digits/digits-cnn.onnx', import.meta.url)))
    const extraction = attackExtract(await compileModel(digits, { profile: 'f32', obfuscate: { seed: 's' } }))
    assert.deepEqual(
      extraction.layers.map(({ units }) => units.length),
      [8, 10],
    )
    assert.equal(recoveryRate(extraction.layers, trueLayers(digits)).weights, 1)
  })

  it('is not flattered by its judge: wrong weights count as wrong', async () => {
    const extraction = attackExtract(await compileModel(q8, { profile: 'q8' }))
    const [first, ...rest] = extraction.layers
    assert.ok(first)
    const spoilt = { ...first, units: first.units.map((unit) => unit.map((value, i) => (i === 3 ? value + 1 : value))) }
    assert.ok(recoveryRate([spoilt, ...rest], trueLayers(q8)).weights < 0.5)
    assert.equal(recoveryRate([], trueLayers(q8)).weights, 0)
  })
})

describe('the report', () => {
  it('says for each attack what it recovered and whether the mark survived', async () => {
    const report = await attackReport(q8, { profile: 'q8' })
    for (const rate of [report.plain, report.untraced, report.traced, report.colluding]) assert.equal(rate.units, 1)
    assert.deepEqual(report.markSurvives, { file: true, untraced: true, traced: false, colluding: false })
  })
})

describe('marks', () => {
  const options: CompileOptions = { profile: 'q8', obfuscate: { seed: '' } }
  const search = { source: q8, options, ownerSecret, holders: ['alice', 'bob', 'carol'] }
  const copyOf = (holder: string) => compileModel(q8, { ...options, obfuscate: { seed: holderSeed(ownerSecret, holder) } })

  it('name the holder of a leaked file, also a damaged one', async () => {
    const { wasm } = await copyOf('bob')
    assert.equal((await traceLeak(wasm, search)).likelyHolder, 'bob')
    const damaged = wasm.slice()
    for (let i = wasm.length - 6000; i < wasm.length; i += 997) damaged[i] = (damaged[i] ?? 0) ^ 1
    assert.equal((await traceLeak(damaged, search)).likelyHolder, 'bob')
  })

  it('survive an extraction that keeps the order of units, but neither a trace nor collusion', async () => {
    const [bob, carol] = [await copyOf('bob'), await copyOf('carol')]
    const extracted = attackExtract(bob)
    assert.equal((await traceLeak(extracted, search)).likelyHolder, 'bob')
    assert.equal((await traceLeak(attackExtractTraced(bob), search)).likelyHolder, undefined)
    const { agreement, unmarked } = attackCollude(extracted, attackExtract(carol))
    assert.equal(agreement, 1)
    assert.equal((await traceLeak(unmarked, search)).likelyHolder, undefined)
  })

  it('accuse nobody of a file that is not a copy', async () => {
    const plain = await compileModel(q8, { profile: 'q8' })
    const other = await compileModel(q8, { profile: 'q8', obfuscate: { seed: 'somebody else' } })
    for (const wasm of [plain.wasm, other.wasm, new Uint8Array(100)]) assert.equal((await traceLeak(wasm, search)).likelyHolder, undefined)
  })
})
