// Many more random graphs on two threads.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { compileModel } from '../src/index.ts'
import { randomCase } from './random-graphs.ts'
import { bytesOf, runCompiled } from './run-compiled.ts'
import { runDivided } from './run-divided.ts'

const graphs = 2000

it(`gives the bits of one thread on ${graphs} random graphs, plain and obfuscated`, async () => {
  let divided = 0
  for (let seed = 10_000; seed < 10_000 + graphs; seed++) {
    const { graph, input } = await randomCase(seed, 9)
    const options = { profile: 'f32', cutting: 'everything', ...(seed % 2 === 0 ? {} : { obfuscate: { seed: String(seed) } }) } as const
    const expected = runCompiled(await compileModel(graph, options), bytesOf(input.data))
    const two = await compileModel(graph, { ...options, threads: 2 })
    if (two.manifest.parallel === undefined) continue
    divided++
    const shared = runDivided(two, [bytesOf(input.data)])
    assert.deepEqual(shared.output, expected.output, `seed ${seed}`)
    assert.deepEqual(shared.boundaries, expected.boundaries, `seed ${seed}`)
  }
  assert.ok(divided > graphs / 2, `${divided} of ${graphs} were divided`)
})
