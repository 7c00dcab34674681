import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import {
  addressOf,
  createSigner,
  isSignedBy,
  isSignedByKey,
  keccak,
  parseHex,
  recoverSigner,
  toHex,
  utf8,
  withRecoverableV,
} from '@tacit/protocol'
import fc from 'fast-check'
import { privateKeyToAccount, sign } from 'viem/accounts'

const key = new Uint8Array(32).fill(0x42)
const signer = createSigner(key)
const digest = parseHex(keccak(utf8('a digest')), 'A digest')
const signature = signer.sign(digest)
const order = secp256k1.Point.CURVE().n
const malformed = { code: 'protocol.malformed' }

function rebuild(change: (r: bigint, s: bigint, v: number) => readonly [bigint, bigint, number]): string {
  const bytes = parseHex(signature, 'A signature')
  const [r, s, v] = change(BigInt(toHex(bytes.subarray(0, 32))), BigInt(toHex(bytes.subarray(32, 64))), bytes[64] ?? 0)
  return `0x${r.toString(16).padStart(64, '0')}${s.toString(16).padStart(64, '0')}${v.toString(16).padStart(2, '0')}`
}

describe('a signer', () => {
  it('has the address and makes the signatures that viem gives the same key', async () => {
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: 1n, max: order - 1n }), fc.uint8Array({ minLength: 32, maxLength: 32 }), async (secret, hash) => {
        const hex = `0x${secret.toString(16).padStart(64, '0')}` as const
        const ours = createSigner(parseHex(hex, 'A key'))
        assert.equal(ours.address, privateKeyToAccount(hex).address.toLowerCase())
        assert.equal(addressOf(ours.publicKey), ours.address)
        assert.equal(ours.sign(hash), await sign({ hash: toHex(hash), privateKey: hex, to: 'hex' }))
        assert.equal(recoverSigner(hash, ours.sign(hash)), ours.address)
        assert.ok(isSignedByKey(ours.publicKey, hash, ours.sign(hash)))
      }),
      { numRuns: 25 },
    )
  })

  it('keeps its key to itself, also when it is logged, serialised, or its maker wipes the array', () => {
    const own = Uint8Array.from(key)
    const wiped = createSigner(own)
    own.fill(0)
    assert.equal(wiped.sign(digest), signature)
    for (const text of [inspect(signer, { depth: 9, showHidden: true }), JSON.stringify(signer), String(signer)]) {
      assert.ok(!text.includes('42424242') && !text.includes('66, 66, 66'))
    }
  })
})

describe('a signature', () => {
  it('has one accepted form: low s, v 27 or 28, 65 bytes of lower-case hex', () => {
    const twins = [
      rebuild((r, s, v) => [r, order - s, v === 27 ? 28 : 27]), // the malleated twin, valid ECDSA
      rebuild((r, s, v) => [r, order - s, v]),
      rebuild((r, s, v) => [r, s, v - 27]),
      rebuild((r, s) => [r, s, 29]),
      rebuild((r, _, v) => [r, 0n, v]),
      `${signature}00`,
      signature.slice(0, -2),
      signature.toUpperCase().replace('0X', '0x'),
      signature.slice(2),
      '',
    ]
    for (const twin of twins) {
      assert.ok(!isSignedBy(signer.address, digest, twin), twin)
      assert.ok(!isSignedByKey(signer.publicKey, digest, twin), twin)
      assert.throws(() => recoverSigner(digest, twin), malformed)
    }
  })

  it('is refused with r at and beyond the ends of its range', () => {
    for (const r of [0n, order, order + 1n, 2n ** 256n - 1n]) {
      const odd = rebuild((_, s, v) => [r, s, v])
      assert.equal(recoverSigner(digest, odd), undefined)
      assert.ok(!isSignedBy(signer.address, digest, odd))
      assert.ok(!isSignedByKey(signer.publicKey, digest, odd))
    }
  })

  it('does not survive one flipped bit', () => {
    const bytes = parseHex(signature, 'A signature')
    for (let bit = 0; bit < 65 * 8; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.ok(!isSignedBy(signer.address, digest, toHex(flipped)), `bit ${bit}`)
    }
  })

  it('with the other v passes the check by key, which cannot see v, and gets its v back before it is handed on', () => {
    const flipped = rebuild((r, s, v) => [r, s, v === 27 ? 28 : 27])
    assert.ok(isSignedByKey(signer.publicKey, digest, flipped))
    assert.ok(!isSignedBy(signer.address, digest, flipped))
    assert.equal(withRecoverableV(signer.address, digest, flipped), signature)
    assert.equal(withRecoverableV(signer.address, digest, signature), signature)
    assert.equal(withRecoverableV(createSigner(new Uint8Array(32).fill(7)).address, digest, signature), undefined)
    assert.throws(() => withRecoverableV(signer.address, digest, `${signature.slice(0, -2)}1d`), malformed)
  })

  it('of garbage is no signature, never an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.uint8Array({ minLength: 65, maxLength: 65 }).map(toHex)), (garbage) => {
        assert.ok(!isSignedBy(signer.address, digest, garbage))
        assert.ok(!isSignedByKey(signer.publicKey, digest, garbage))
      }),
      { numRuns: 200 },
    )
  })
})
