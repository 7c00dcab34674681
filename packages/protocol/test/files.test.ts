// Receipt files, openings, checkpoints, and where the chain keeps what evidence shows.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type Checkpoint,
  canonicalJson,
  cardHash,
  deriveModelRegistryLocation,
  deriveModelSlots,
  deriveStakeSlot,
  deriveWorkerRegistryLocation,
  deriveWorkerSlot,
  encodeOpenings,
  encodeReceiptFile,
  knownEvidenceKinds,
  MalformedError,
  maxCheckpointBytes,
  maxEvidenceItems,
  modelProofSchema,
  modelRoot,
  type Openings,
  parseAddress,
  parseBytes32,
  parseCheckpoint,
  parseHex,
  parseModelId,
  parseOpenings,
  receiptFileSchema,
  registrationProofSchema,
  unpackModelHead,
  unpackModelTerms,
  unpackStakeSlot,
  unpackWorkerSlot,
  utf8,
} from '@tacit/protocol'
import fc from 'fast-check'
import { concat, encodeAbiParameters, keccak256, numberToHex, stringToHex } from 'viem'
import vectors from './vectors/documents.json' with { type: 'json' }

const malformed = { code: 'protocol.malformed' }
const word = (byte: string) => parseBytes32(`0x${byte.repeat(32)}`)
const address = (byte: string) => parseAddress(`0x${byte.repeat(20)}`)
const receipt = vectors.documents.find(({ kind }) => kind === 'Receipt')
const file = {
  type: 'tacit-receipt-file/1',
  receipt: { document: receipt?.document, signature: receipt?.signature },
  evidence: [{ kind: 'something/9', receiptId: receipt?.id, body: { any: ['thing', 1, null] } }],
}

describe('a receipt file', () => {
  it('has one byte form and reads back', () => {
    const parsed = receiptFileSchema(file, 'file')
    assert.equal(new TextDecoder().decode(encodeReceiptFile(parsed)), canonicalJson(parsed as never))
    assert.deepEqual(receiptFileSchema(JSON.parse(new TextDecoder().decode(encodeReceiptFile(parsed))), 'file'), parsed)
  })

  it('is refused with unknown keys, too much evidence, or evidence without its form', () => {
    const [item] = file.evidence
    const wrong = [
      { ...file, openings: {} },
      { ...file, type: 'tacit-receipt-file/2' },
      { ...file, evidence: Array.from({ length: maxEvidenceItems + 1 }, () => item) },
      { ...file, evidence: [{ ...item, note: 'x' }] },
      { ...file, evidence: [{ kind: 'k', body: 1 }] },
      { ...file, evidence: [{ ...item, kind: 'k'.repeat(65) }] },
    ]
    for (const value of wrong) assert.throws(() => receiptFileSchema(value, 'file'), malformed)
  })

  it('has kinds of evidence with a version each', () => {
    for (const kind of knownEvidenceKinds) assert.match(kind, /^[a-z-]+\/[1-9]\d*$/)
  })
})

describe('a checkpoint', () => {
  const checkpoint: Checkpoint = {
    type: 'tacit-checkpoint/1',
    chainId: '4294967297',
    blockNumber: '42',
    blockHash: word('b1'),
    contracts: { paymentPool: address('c0'), workerRegistry: address('c1'), modelRegistry: address('c2') },
  }
  it('reads back from any spelling of its JSON', () => {
    assert.deepEqual(parseCheckpoint(utf8(JSON.stringify(checkpoint, null, 2))), checkpoint)
  })
  it('is refused when something is missing, unknown, or not in its form', () => {
    const wrong = [
      { ...checkpoint, chainId: 1 },
      { ...checkpoint, blockHash: '0x00' },
      { ...checkpoint, blockNumber: '-1' },
      { ...checkpoint, contracts: { paymentPool: address('c0') } },
      { ...checkpoint, trusted: true },
      { ...checkpoint, contracts: { ...checkpoint.contracts, paymentPool: `0x${'C0'.repeat(20)}` } },
    ]
    for (const value of wrong) assert.throws(() => parseCheckpoint(utf8(JSON.stringify(value))), malformed)
    assert.throws(() => parseCheckpoint(new Uint8Array(maxCheckpointBytes + 1).fill(0x20)), malformed)
  })
})

describe('openings', () => {
  const openings: Openings = {
    type: 'tacit-openings/1',
    receiptId: word('01'),
    input: { frankingKey: word('02'), plaintext: '0x' },
    output: null,
    voucher: null,
    order: null,
  }
  it('read back', () => {
    assert.deepEqual(parseOpenings(encodeOpenings(openings)), openings)
  })
  it('are refused when a stream has another shape', () => {
    for (const input of [
      { frankingKey: '0x00', plaintext: '0x' },
      { frankingKey: word('02'), plaintext: 'text' },
      { plaintext: '0x' },
      'x',
      undefined,
    ]) {
      assert.throws(() => parseOpenings(utf8(JSON.stringify({ ...openings, input }))), malformed)
    }
  })
})

describe('storage slots', () => {
  const erc7201 = (id: string) => {
    const inner = BigInt(keccak256(stringToHex(id))) - 1n
    return BigInt(keccak256(numberToHex(inner, { size: 32 }))) & ~0xffn
  }
  const mapped = (key: `0x${string}`, slot: bigint) => keccak256(concat([key, numberToHex(slot, { size: 32 })]))
  const worker = address('aa')
  const model = parseModelId(word('bb'))

  it('are where Solidity keeps mappings under an ERC-7201 root', () => {
    const workers = erc7201('tacit.storage.WorkerRegistry')
    assert.equal(deriveWorkerRegistryLocation(), workers)
    const padded = encodeAbiParameters([{ type: 'address' }], [worker])
    assert.equal(deriveWorkerSlot(worker), mapped(padded, workers))
    assert.equal(deriveStakeSlot(worker, model), mapped(model, BigInt(mapped(padded, workers + 1n))))
    const models = erc7201('tacit.storage.ModelRegistry')
    assert.equal(deriveModelRegistryLocation(), models)
    const first = BigInt(mapped(model, models))
    assert.deepEqual(deriveModelSlots(model), {
      head: numberToHex(first, { size: 32 }),
      root: numberToHex(first + 1n, { size: 32 }),
      terms: numberToHex(first + 3n, { size: 32 }),
    })
  })

  it('unpack to what was packed', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 104n - 1n }),
        fc.bigInt({ min: 0n, max: 2n ** 104n - 1n }),
        fc.nat(),
        (stakedWei, thawingWei, thawedAt) => {
          assert.deepEqual(unpackStakeSlot(stakedWei | (thawingWei << 104n) | (BigInt(thawedAt) << 208n)), {
            stakedWei,
            thawingWei,
            thawedAt,
          })
        },
      ),
    )
    const packed = BigInt(worker) | (3n << 160n) | (5n << 168n) | (7n << 208n)
    assert.deepEqual(unpackWorkerSlot(packed), { operator: worker, status: 'jailed', registeredAt: 5, capacity: 7 })
    assert.equal(unpackWorkerSlot(BigInt(worker) | (4n << 160n)).status, 'none')
    assert.deepEqual(unpackModelHead(BigInt(worker) | (2n << 160n) | (0xffffn << 168n)), { owner: worker, status: 'retired' })
    assert.equal(unpackModelHead(3n << 160n).status, 'none')
    assert.deepEqual(unpackModelTerms(5n | (9n << 128n)), { pricePerStepWei: 5n, minStakeWei: 9n })
  })

  it('come with proofs whose parsers throw MalformedError and nothing else', () => {
    for (const schema of [registrationProofSchema, modelProofSchema]) {
      fc.assert(
        fc.property(fc.anything(), (value) => {
          assert.throws(() => schema(value, 'proof'), MalformedError)
        }),
      )
    }
  })
})

describe('a model card', () => {
  it('is named by the hash of its canonical form, and its weights by one root', () => {
    const commitments = { artifact: word('01'), q8: word('02'), proof: null, fhe: null }
    const zero = `0x${'00'.repeat(32)}` as const
    assert.equal(modelRoot(commitments), keccak256(concat([stringToHex('tacit/model-root/1'), word('01'), word('02'), zero, zero])))
    const card = { type: 'tacit-model/1', name: 'x', commitments } as never
    assert.equal(cardHash(card), keccak256(`0x${Buffer.from(canonicalJson(card)).toString('hex')}`))
    assert.equal(parseHex(cardHash(card), 'A hash').length, 32)
  })
})
