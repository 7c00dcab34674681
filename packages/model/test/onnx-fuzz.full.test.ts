import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseOnnx } from '../src/index.ts'
import { isNamedError, mutate, sampleFiles } from './onnx-samples.ts'

it('survives 1,000,000 damaged ONNX files: a graph or a named error, within bounded time and memory', () => {
  const files = sampleFiles()
  const options = { dimensions: { batch: 1 }, maxElements: 1 << 16 }
  let [graphs, refused] = [0, 0]
  for (let seed = 100_000; seed < 1_100_000; seed++) {
    try {
      parseOnnx(mutate(files[seed % files.length] ?? new Uint8Array(0), seed), options)
      graphs++
    } catch (error) {
      if (!isNamedError(error)) throw new Error(`seed ${seed}`, { cause: error })
      refused++
    }
    if (seed % 50_000 === 0) assert.ok(process.memoryUsage().rss < 1.5e9, `${process.memoryUsage().rss} bytes at seed ${seed}`)
  }
  assert.equal(graphs + refused, 1_000_000)
})
