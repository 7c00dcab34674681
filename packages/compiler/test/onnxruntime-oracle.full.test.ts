import assert from 'node:assert/strict'
import { it } from 'node:test'
import { compareWithOnnxruntime } from './compare-onnxruntime.ts'

it('agrees with onnxruntime on 5,000 random graphs', async () => {
  const { compared } = await compareWithOnnxruntime(20_001, 25_000)
  assert.ok(compared >= 4900, `${compared}`)
})
