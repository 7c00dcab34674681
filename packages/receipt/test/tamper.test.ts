// Nothing about a receipt can be changed without being noticed.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { encodeReceiptFile, type Json } from '@tacit/protocol'
import { verifyReceipt } from '@tacit/receipt'
import { buildWorld, type World } from './fixture.ts'
import { leafPaths, mutateLeaf } from './mutate.ts'

describe('a receipt file that was changed', () => {
  let world: World
  before(async () => {
    world = await buildWorld()
  })

  // Every byte, one bit each, is in tamper.full.test.ts; here every thirty-first.
  it('is refused whichever byte is flipped', async () => {
    for (let index = 0; index < world.bytes.length; index += 31) {
      const flipped = Uint8Array.from(world.bytes)
      flipped[index] = (flipped[index] ?? 0) ^ 1
      const { exitCode, level } = await verifyReceipt(flipped, { checkpoint: world.checkpoint })
      assert.notEqual(exitCode, 0, `byte ${index}`)
      assert.equal(level, null, `byte ${index}`)
    }
  })

  it('is refused when a byte is cut off or added anywhere', async () => {
    const { bytes, checkpoint } = world
    for (let index = 0; index < bytes.length; index += 97) {
      const shorter = Uint8Array.of(...bytes.subarray(0, index), ...bytes.subarray(index + 1))
      const longer = Uint8Array.of(...bytes.subarray(0, index), 0x20, ...bytes.subarray(index))
      assert.equal((await verifyReceipt(bytes.subarray(0, index), { checkpoint })).exitCode, 1)
      assert.notEqual((await verifyReceipt(shorter, { checkpoint })).exitCode, 0, `byte ${index} missing`)
      assert.notEqual((await verifyReceipt(longer, { checkpoint })).exitCode, 0, `space before byte ${index}`)
    }
  })

  it('is refused whichever field of the signed core, its signature or its evidence is changed', async () => {
    const value: unknown = JSON.parse(new TextDecoder().decode(world.bytes))
    const paths = leafPaths(value).filter((path) => path.at(-1) !== 'kind')
    assert.ok(paths.length > 45, `only ${paths.length} fields found`)
    for (const path of paths) {
      const result = await verifyReceipt(mutateLeaf(value, path), { checkpoint: world.checkpoint })
      assert.equal(result.exitCode, 1, path.join('.'))
      assert.equal(result.level, null, path.join('.'))
    }
  })

  it('is refused when a key is missing or unknown at any depth', async () => {
    const value: unknown = JSON.parse(new TextDecoder().decode(world.bytes))
    for (const path of leafPaths(value).filter((candidate) => typeof candidate.at(-1) === 'string')) {
      const without = mutateLeaf(value, path, 'remove')
      assert.equal((await verifyReceipt(without, { checkpoint: world.checkpoint })).exitCode, 1, `without ${path.join('.')}`)
      const extra = mutateLeaf(value, path, 'add sibling')
      assert.equal((await verifyReceipt(extra, { checkpoint: world.checkpoint })).exitCode, 1, `beside ${path.join('.')}`)
    }
  })

  it('is refused in any other spelling of the same JSON', async () => {
    const text = new TextDecoder().decode(world.bytes)
    const spellings = [
      JSON.stringify(JSON.parse(text), null, 2),
      ` ${text}`,
      `${text}\r\n`,
      `${text}\n\n`,
      `\ufeff${text}`,
      text.replace('"type":"tacit-receipt-file/1"', '"type":"other","type":"tacit-receipt-file/1"'),
      text.replace('"type"', '"\\u0074ype"'),
      text.replace(/"acceptedAt":(\d+)/, '"acceptedAt":$1.0'),
    ]
    for (const spelling of spellings) {
      assert.notEqual(spelling, text)
      assert.equal((await verifyReceipt(new TextEncoder().encode(spelling), { checkpoint: world.checkpoint })).exitCode, 1)
    }
  })

  it('has one byte form', () => {
    const value = JSON.parse(new TextDecoder().decode(world.bytes))
    assert.deepEqual(encodeReceiptFile(value), world.bytes)
    assert.equal(JSON.stringify(value satisfies Json), new TextDecoder().decode(world.bytes))
  })
})
