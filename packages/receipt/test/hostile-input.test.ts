// Files that were never meant to be receipts: bounded time and memory, and a result instead of an exception.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { documentId, maxReceiptFileBytes, toHex, utf8 } from '@tacit/protocol'
import { readBlockHeader, readProof, verifyReceipt } from '@tacit/receipt'
import { RLP } from '@ethereumjs/rlp'
import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { acceptanceItem, buildHeader, buildWorld, proveModel, proveRegistration, seeded, type World, withEvidence } from './fixture.ts'

async function assertRefused(input: unknown): Promise<void> {
  const result = await verifyReceipt(input)
  assert.equal(result.exitCode, 1)
  assert.equal(result.level, null)
  assert.equal(result.lines[0]?.check, 'file')
  assert.equal(result.lines[0]?.status, 'FAIL')
}

describe('input that is no receipt file', () => {
  let world: World
  before(async () => {
    world = await buildWorld()
  })

  it('is refused as bytes', async () => {
    const texts = [
      '',
      ' ',
      '{',
      '[]',
      '{}',
      'null',
      '0',
      '"x"',
      'true',
      '{"type":"tacit-receipt-file/1"}',
      '{"__proto__":{"type":"x"}}',
      'NaN',
    ]
    for (const text of texts) await assertRefused(utf8(text))
    await assertRefused(Uint8Array.of(0xff, 0xfe, 0x7b, 0x00))
    await assertRefused(Uint8Array.of(0xc0, 0xaf))
  })

  it('is refused as a value', async () => {
    for (const value of [undefined, null, 0, 1n, 'x', [], {}, Symbol('x'), () => 1, new Map(), [[]], { type: 'tacit-receipt-file/1' }]) {
      await assertRefused(value)
    }
    await assertRefused({ ...world.file, evidence: Array.from({ length: 65 }, () => world.file.evidence[0]) })
    await assertRefused({ ...world.file, evidence: { length: 2 ** 32 } })
  })

  it('is refused when it is too long, without being parsed', async () => {
    await assertRefused(new Uint8Array(64 * 1024 * 1024))
    await assertRefused(utf8(`"${'a'.repeat(maxReceiptFileBytes)}"`))
    const padded = { kind: 'padding/1', receiptId: documentId(world.core), body: 'a'.repeat(maxReceiptFileBytes) }
    await assertRefused(withEvidence(world.file.receipt, [padded]))
  })

  it('is refused when it is nested deeply, as a whole and inside evidence', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const depth = 150_000
      const nested = `${open.repeat(depth)}0${close.repeat(depth)}`
      await assertRefused(utf8(nested))
      const item = `{"body":${nested},"kind":"deep/1","receiptId":"${documentId(world.core)}"}`
      await assertRefused(utf8(new TextDecoder().decode(world.bytes).replace('"evidence":[', `"evidence":[${item},`)))
    }
    const cyclic: unknown[] = []
    cyclic.push(cyclic)
    await assertRefused(withEvidence(world.file.receipt, [{ kind: 'loop/1', receiptId: documentId(world.core), body: cyclic }]))
  })

  it('is refused when it holds numbers or text without one canonical form', async () => {
    for (const body of ['1.5', '1e400', '-0', '9007199254740993', '"\\ud800"', '{"\\udc00":1}']) {
      const item = `{"body":${body},"kind":"odd/1","receiptId":"${documentId(world.core)}"}`
      await assertRefused(utf8(new TextDecoder().decode(world.bytes).replace('"evidence":[', `"evidence":[${item},`)))
    }
  })

  it('never throws for garbage', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), assertRefused), { numRuns: 300 })
    await fc.assert(fc.asyncProperty(fc.jsonValue(), assertRefused), { numRuns: 300 })
    await fc.assert(fc.asyncProperty(fc.anything(), assertRefused), { numRuns: 300 })
  })

  it('never throws for garbage where evidence belongs', async () => {
    const receiptId = documentId(world.core)
    const kinds = fc.constantFrom('acceptance/1', 'registration/1', 'other/1')
    await fc.assert(
      fc.asyncProperty(kinds, fc.jsonValue({ noUnicodeString: false }), async (kind, body) => {
        const result = await verifyReceipt(withEvidence(world.file.receipt, [{ kind, receiptId, body }]), { checkpoint: world.checkpoint })
        assert.notEqual(result.exitCode, 0)
      }),
      { numRuns: 200 },
    )
  })

  it('never throws for garbage in the place of openings', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything(), fc.uint8Array()), async (openings) => {
        fc.pre(openings !== undefined)
        const result = await verifyReceipt(world.file, { checkpoint: world.checkpoint, openings })
        assert.equal(result.exitCode, 1)
      }),
      { numRuns: 200 },
    )
  })

  it('never puts control characters of a file into the text that a terminal shows', async () => {
    const nasty = '\u001b[2Jevil\u009b\u202e\u0007'
    const unknown = { kind: nasty, receiptId: documentId(world.core), body: null }
    const results = [
      await verifyReceipt(withEvidence(world.file.receipt, [...world.file.evidence, unknown])),
      await verifyReceipt({ ...world.file, [nasty]: 1 }),
      await verifyReceipt(withEvidence(world.file.receipt, [{ ...acceptanceItem(world.core), body: { [nasty]: nasty } }])),
    ]
    for (const line of results.flatMap((result) => result.lines)) assert.match(line.reason, /^[\x20-\x7e]*$/)
  })
})

describe('trie nodes and headers made by an attacker', () => {
  // Without a checkpoint the header's state root is whatever the attacker likes, so any node can be the "root".
  it('are refused in bounded time, whatever they hold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 6 }), async (nodes) => {
        const root = keccak_256(nodes[0] ?? new Uint8Array())
        assert.notEqual((await readProof(root, seeded('key'), nodes)).outcome, 'present')
      }),
      { numRuns: 500 },
    )
  })

  it('are refused when they are well-formed nodes of absurd shape', async () => {
    const key = seeded('key')
    const emptyPath = Uint8Array.of(0x00)
    const chain: Uint8Array[] = [RLP.encode([emptyPath, seeded('nowhere')])]
    for (let i = 0; i < 64; i++) chain.unshift(RLP.encode([emptyPath, keccak_256(chain[0] ?? new Uint8Array())]))
    let embedded: unknown = [emptyPath, Uint8Array.of(1)]
    for (let i = 0; i < 200; i++) embedded = [emptyPath, embedded]
    const branches = RLP.encode(Array.from({ length: 17 }, () => Array.from({ length: 17 }, () => new Uint8Array())))
    const selfBranch = RLP.encode(Array.from({ length: 17 }, (_, i) => (i === 16 ? Uint8Array.of(7) : new Uint8Array())))
    for (const nodes of [
      chain,
      [RLP.encode(embedded as never)],
      [branches],
      [selfBranch],
      [RLP.encode([])],
      [RLP.encode(new Uint8Array())],
    ]) {
      const reading = await readProof(keccak_256(nodes[0] ?? new Uint8Array()), key, nodes)
      assert.notEqual(reading.outcome, 'present')
    }
  })

  it('are refused over their limits before anything is decoded', async () => {
    const big = new Uint8Array(1025).fill(0xc0)
    assert.deepEqual(await readProof(keccak_256(big), seeded('key'), [big]), {
      outcome: 'invalid',
      reason: 'a node is longer than 1024 bytes',
    })
    const many = Array.from({ length: 66 }, () => Uint8Array.of(0xc0))
    assert.equal((await readProof(keccak_256(Uint8Array.of(0xc0)), seeded('key'), many)).outcome, 'invalid')
  })

  it('are no headers unless they have the fields of one', () => {
    const header = buildHeader(seeded('state root'), 5n)
    assert.equal(readBlockHeader(header)?.number, 5n)
    assert.deepEqual(readBlockHeader(header)?.stateRoot, seeded('state root'))
    assert.equal(readBlockHeader(header.subarray(0, -1)), undefined)
    assert.equal(readBlockHeader(Uint8Array.of(...header, 0)), undefined)
    assert.equal(readBlockHeader(new Uint8Array(2049)), undefined)
    assert.equal(readBlockHeader(RLP.encode(Array.from({ length: 20 }, () => new Uint8Array(9)))), undefined)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
        assert.equal(readBlockHeader(bytes), undefined)
      }),
    )
  })

  it('with a time that is no date give a line, not an exception', async () => {
    const world = await buildWorld()
    const fields = RLP.decode(world.state.header)
    assert.ok(Array.isArray(fields))
    fields[11] = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
    const header = RLP.encode(fields)
    const change = { blockHeader: toHex(header) }
    const hash = readBlockHeader(header)?.hash
    assert.ok(hash !== undefined)
    const receiptId = documentId(world.core)
    const items = [
      acceptanceItem(world.core),
      { kind: 'registration/1', receiptId, body: { ...(await proveRegistration(world.state)), ...change } },
      { kind: 'model/1', receiptId, body: { ...(await proveModel(world.state)), ...change } },
    ]
    const result = await verifyReceipt(withEvidence(world.file.receipt, items), { checkpoint: { ...world.checkpoint, blockHash: hash } })
    assert.equal(result.exitCode, 0)
  })
})
