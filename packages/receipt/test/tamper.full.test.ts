// The exhaustive form of tamper.test.ts: every bit of every byte of the signed part, one bit of every other byte.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { verifyReceipt } from '@tacit/receipt'
import { buildWorld } from './fixture.ts'

describe('a receipt file with one flipped bit', () => {
  it('is refused wherever the bit is', async () => {
    const { bytes, checkpoint } = await buildWorld()
    const signedPart = new TextDecoder().decode(bytes).indexOf('"receipt":')
    for (let index = 0; index < bytes.length; index++) {
      for (const bit of index >= signedPart ? [0, 1, 2, 3, 4, 5, 6, 7] : [index % 8]) {
        const flipped = Uint8Array.from(bytes)
        flipped[index] = (flipped[index] ?? 0) ^ (1 << bit)
        const { exitCode, level } = await verifyReceipt(flipped, { checkpoint })
        assert.notEqual(exitCode, 0, `byte ${index}, bit ${bit}`)
        assert.equal(level, null, `byte ${index}, bit ${bit}`)
      }
    }
  })
})
