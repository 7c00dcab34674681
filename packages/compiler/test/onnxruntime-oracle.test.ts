import assert from 'node:assert/strict'
import { it } from 'node:test'
import { compareWithOnnxruntime } from './compare-onnxruntime.ts'

it('agrees with onnxruntime on random graphs', async () => {
  const { compared, seen } = await compareWithOnnxruntime(2001, 2080)
  assert.ok(compared >= 75 && seen.size >= 28, `${compared} graphs, ${[...seen].sort().join(', ')}`)
})
