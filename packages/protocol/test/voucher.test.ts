import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  commitVoucher,
  createVoucherDigest,
  isSignedBy,
  parseAddress,
  parseBytes32,
  parseChannelId,
  parseHex,
  roundUsage,
  sha256Hash,
  signedVoucherSchema,
  toHex,
  utf8,
} from '@tacit/protocol'
import fc from 'fast-check'
import { concat, encodeAbiParameters, hashTypedData, keccak256, stringToHex } from 'viem'
import vectors from './vectors/documents.json' with { type: 'json' }

const domain = { chainId: BigInt(vectors.domain.chainId), contract: parseAddress(vectors.domain.contract) }
const digestOf = createVoucherDigest(domain)
const malformed = { code: 'protocol.malformed' }

describe('a voucher', () => {
  it('has the digest and signature of the vector', () => {
    const { channelId, maxClaimableAmount, digest, signature } = vectors.voucher
    const ours = digestOf({ channelId: parseChannelId(channelId), maxClaimableAmount: BigInt(maxClaimableAmount) })
    assert.equal(toHex(ours), digest)
    assert.ok(isSignedBy(parseAddress(vectors.identifiers.payer), ours, signature))
  })

  it("has x402 batch settlement's typed data, as viem hashes it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (channel, amount) => {
        const expected = hashTypedData({
          domain: { name: 'x402 Batch Settlement', version: '1', chainId: domain.chainId, verifyingContract: domain.contract },
          types: {
            Voucher: [
              { name: 'channelId', type: 'bytes32' },
              { name: 'maxClaimableAmount', type: 'uint128' },
            ],
          },
          primaryType: 'Voucher',
          message: { channelId: toHex(channel), maxClaimableAmount: amount },
        })
        assert.equal(toHex(digestOf({ channelId: parseChannelId(toHex(channel)), maxClaimableAmount: amount })), expected)
      }),
    )
  })

  it('is refused outside uint128, and its digests do not share state', () => {
    const channelId = parseChannelId(`0x${'01'.repeat(32)}`)
    for (const amount of [-1n, 2n ** 128n]) assert.throws(() => digestOf({ channelId, maxClaimableAmount: amount }), malformed)
    const first = digestOf({ channelId, maxClaimableAmount: 1n })
    const copy = Uint8Array.from(first)
    digestOf({ channelId, maxClaimableAmount: 2n })
    assert.deepEqual(first, copy)
  })

  it('travels in one form', () => {
    const good = { channelId: vectors.voucher.channelId, maxClaimableAmount: '1', signature: vectors.voucher.signature }
    assert.deepEqual(signedVoucherSchema(good, 'voucher'), good)
    for (const maxClaimableAmount of ['01', '-1', '1.0', '', '0x1', ' 1', (2n ** 128n).toString(), 1]) {
      assert.throws(() => signedVoucherSchema({ ...good, maxClaimableAmount }, 'voucher'), malformed)
    }
  })
})

describe('commitments', () => {
  it('to a voucher are those of the vector, and as viem computes them', () => {
    const { salt, channelId, amount, commitment } = vectors.voucherCommitment
    assert.equal(commitVoucher({ salt: parseBytes32(salt), channelId: parseChannelId(channelId), amount: BigInt(amount) }), commitment)
    const encoded = encodeAbiParameters([{ type: 'uint256' }], [BigInt(amount)])
    assert.equal(
      keccak256(concat([stringToHex('tacit/voucher/v1'), salt as `0x${string}`, channelId as `0x${string}`, encoded])),
      commitment,
    )
  })

  it('differ with salt, channel and amount', () => {
    const base = { salt: parseBytes32(`0x${'01'.repeat(32)}`), channelId: parseChannelId(`0x${'02'.repeat(32)}`), amount: 3n }
    const others = [
      { ...base, salt: parseBytes32(`0x${'03'.repeat(32)}`) },
      { ...base, channelId: parseChannelId(`0x${'04'.repeat(32)}`) },
      { ...base, amount: 4n },
    ]
    assert.equal(new Set([base, ...others].map(commitVoucher)).size, 4)
  })

  it('SHA-256 is that of FIPS 180-4 for "abc"', () => {
    assert.equal(sha256Hash(utf8('abc')), '0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    assert.equal(parseHex(sha256Hash(utf8('')), 'A hash').length, 32)
  })

  it('to usage round up to a power of two and keep zero', () => {
    assert.deepEqual([0, 1, 2, 3, 4, 5, 1023, 1024, 1025].map(roundUsage), [0, 1, 2, 4, 4, 8, 1024, 1024, 2048])
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (units) => {
        const rounded = roundUsage(units)
        assert.ok(rounded >= units && rounded < 2 * units && Number.isInteger(Math.log2(rounded)))
        assert.equal(roundUsage(rounded), rounded)
      }),
    )
  })
})
