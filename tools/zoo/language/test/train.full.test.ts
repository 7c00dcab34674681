import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { shippedPlan, shippedShape } from '../config.ts'
import { modelFile } from '../model-file.ts'
import type { Encoding } from '../quantise.ts'
import { train } from '../train.ts'

describe('training with the shipped plan', () => {
  it('gives the shipped files again, byte for byte', async () => {
    const card = JSON.parse(readFileSync(new URL('../../../../zoo/language/card.json', import.meta.url), 'utf8'))
    const { weights } = await train(shippedShape, shippedPlan, () => {})
    for (const { encoding, sha256 } of card.files as readonly { encoding: Encoding; sha256: string }[]) {
      const bytes = modelFile(shippedShape, weights, encoding, `tacit-babble-${encoding}`)
      assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256, encoding)
    }
  })
})
