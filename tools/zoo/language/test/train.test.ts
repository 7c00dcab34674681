import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ModelShape, TrainingPlan } from '../config.ts'
import { train } from '../train.ts'

const shape: ModelShape = { vocabulary: 264, width: 32, layers: 1, heads: 2, feedForward: 32, normEpsilon: 1e-5, ropeBase: 10_000 }
const plan: TrainingPlan = {
  seed: 1,
  trainingDocuments: 200,
  heldOutDocuments: 40,
  learningRate: 0.01,
  warmUpSteps: 5,
  weightDecay: 0.01,
  phases: [
    { steps: 40, window: 64, batch: 4 },
    { steps: 10, window: 128, batch: 2 },
  ],
}

describe('training', () => {
  it('learns, and gives the same weights for the same seed', async () => {
    const first = await train(shape, plan, () => {})
    assert.ok(first.facts.bitsPerByte < 4.5, `${first.facts.bitsPerByte} bits per byte; uniform is 8`)
    assert.equal(first.facts.tokensSeen, 50 * 256)
    assert.deepEqual(await train(shape, plan, () => {}), first)
    assert.notDeepEqual((await train(shape, { ...plan, seed: 2 }, () => {})).weights, first.weights)
  })
})
