// What somebody could hand in who wants to be believed.
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { documentId, type Evidence, type ModelProof, type RegistrationProof } from '@tacit/protocol'
import { type CheckName, type ReceiptVerification, verifyReceipt } from '@tacit/receipt'
import {
  acceptanceItem,
  addressOfLabel,
  buildState,
  buildWorld,
  bytes32Of,
  contracts,
  model,
  proveModel,
  proveRegistration,
  type StateOptions,
  stranger,
  type World,
  withEvidence,
  worker,
} from './fixture.ts'

function assertStatus(result: ReceiptVerification, check: CheckName, status: 'PASS' | 'FAIL' | 'SKIP'): void {
  assert.equal(result.lines.find((line) => line.check === check)?.status, status, JSON.stringify(result.lines, null, 2))
}

/** Replaces the registration of a world by another proof, with or without the world's own checkpoint. */
async function verifyWithRegistration(world: World, proof: RegistrationProof): Promise<ReceiptVerification> {
  const evidence: readonly Evidence[] = [
    acceptanceItem(world.core),
    { kind: 'registration/1', receiptId: documentId(world.core), body: proof },
  ]
  return verifyReceipt(withEvidence(world.file.receipt, evidence), { checkpoint: world.checkpoint })
}

describe('a forged receipt', () => {
  it('signed by a fresh key that names a real worker is refused', async () => {
    const world = await buildWorld({ signer: stranger })
    const result = await verifyReceipt(world.bytes, { checkpoint: world.checkpoint })
    assert.equal(result.exitCode, 1)
    assertStatus(result, 'signature', 'FAIL')
    assertStatus(result, 'acceptance', 'FAIL')
    assert.equal(result.level, null)
  })

  it('by a worker that is not registered is refused, with proofs that its slots are empty', async () => {
    const world = await buildWorld({
      signer: stranger,
      core: { worker: stranger.address },
      ordered: { readers: [stranger.address] },
    })
    const proof = await proveRegistration(world.state, { worker: stranger.address })
    const evidence = [acceptanceItem(world.core, {}, stranger), { kind: 'registration/1', receiptId: documentId(world.core), body: proof }]
    const result = await verifyReceipt(withEvidence(world.file.receipt, evidence), { checkpoint: world.checkpoint })
    assertStatus(result, 'signature', 'PASS')
    assertStatus(result, 'registration', 'FAIL')
    assert.equal(result.exitCode, 1)
  })

  const statesWithoutStanding: readonly [string, StateOptions][] = [
    ['never registered', { status: 0 }],
    ['jailed', { status: 3 }],
    ['of a status nobody knows', { status: 9 }],
    ['without stake for the model', { stakedWei: 0n }],
  ]
  for (const [name, state] of statesWithoutStanding) {
    it(`by a worker ${name} is refused`, async () => {
      const world = await buildWorld({ state })
      const result = await verifyReceipt(world.bytes, { checkpoint: world.checkpoint })
      assertStatus(result, 'registration', 'FAIL')
      assert.equal(result.exitCode, 1)
    })
  }

  it('by a draining worker still counts: its stake is there', async () => {
    const world = await buildWorld({ state: { status: 2 } })
    assert.equal((await verifyReceipt(world.bytes, { checkpoint: world.checkpoint })).exitCode, 0)
  })
})

describe('evidence', () => {
  let world: World
  let receiptId: ReturnType<typeof documentId>
  before(async () => {
    world = await buildWorld()
    receiptId = documentId(world.core)
  })

  it('that is missing is a gap, never a pass', async () => {
    const [acceptance, registration, model] = world.file.evidence
    assert.ok(acceptance !== undefined && registration !== undefined && model !== undefined)
    for (const [evidence, check] of [
      [[registration, model], 'acceptance'],
      [[acceptance, model], 'registration'],
      [[acceptance, registration], 'model'],
      [[], 'acceptance'],
    ] as const) {
      const result = await verifyReceipt(withEvidence(world.file.receipt, evidence), { checkpoint: world.checkpoint })
      assertStatus(result, check, 'SKIP')
      assert.equal(result.exitCode, 2)
      assert.equal(result.level, null)
    }
  })

  it('of another receipt is refused, also when it is relabelled', async () => {
    const other = await buildWorld({ core: { session: (await buildWorld()).core.session, completedAt: world.core.completedAt + 1 } })
    const mislabelled = withEvidence(world.file.receipt, [...world.file.evidence, ...other.file.evidence])
    assert.equal((await verifyReceipt(mislabelled, { checkpoint: world.checkpoint })).exitCode, 1)
    const otherJob = acceptanceItem({ ...world.core, job: other.core.session as never })
    const relabelled = withEvidence(world.file.receipt, [{ ...otherJob, receiptId }, ...world.file.evidence.slice(1)])
    const result = await verifyReceipt(relabelled, { checkpoint: world.checkpoint })
    assertStatus(result, 'acceptance', 'FAIL')
    assert.equal(result.exitCode, 1)
  })

  const wrongAcceptances: readonly [string, Parameters<typeof acceptanceItem>[1]][] = [
    ['of another request', { request: bytes32Of('other request') }],
    ['at another time', { acceptedAt: 1 }],
    ['by another worker', { worker: stranger.address }],
  ]
  for (const [name, changes] of wrongAcceptances) {
    it(`with an acceptance ${name} is refused`, async () => {
      const evidence = [{ ...acceptanceItem(world.core, changes), receiptId }, ...world.file.evidence.slice(1)]
      const result = await verifyReceipt(withEvidence(world.file.receipt, evidence), { checkpoint: world.checkpoint })
      assertStatus(result, 'acceptance', 'FAIL')
      assert.equal(result.exitCode, 1)
    })
  }

  it('with one good and one bad acceptance is refused', async () => {
    const evidence = [...world.file.evidence, acceptanceItem(world.core, {}, stranger)]
    assert.equal((await verifyReceipt(withEvidence(world.file.receipt, evidence), { checkpoint: world.checkpoint })).exitCode, 1)
  })

  const foreignRegistrations: readonly [string, StateOptions, Partial<RegistrationProof>][] = [
    ['another worker', { worker: stranger.address }, { worker: stranger.address }],
    ['another model', { model: bytes32Of('other model') as never }, { model: bytes32Of('other model') as never }],
    ['another registry', { registry: addressOfLabel('look-alike') }, { registry: addressOfLabel('look-alike') }],
    ['another chain', {}, { chainId: '1' }],
  ]
  for (const [name, state, claim] of foreignRegistrations) {
    it(`with a registration of ${name} is refused, whatever its label says`, async () => {
      const foreign = await proveRegistration(await buildState(state), claim)
      const checkpoint = { ...world.checkpoint, blockHash: (await buildState(state)).blockHash }
      for (const body of [
        foreign,
        { ...foreign, worker: worker.address, model, registry: contracts.workerRegistry, chainId: world.core.chainId },
      ]) {
        if (name === 'another chain' && body !== foreign) continue // the label is all there was
        const evidence = [acceptanceItem(world.core), { kind: 'registration/1', receiptId, body }]
        const result = await verifyReceipt(withEvidence(world.file.receipt, evidence), { checkpoint })
        assertStatus(result, 'registration', 'FAIL')
        assert.equal(result.exitCode, 1)
      }
    })
  }

  it('with proofs of other slots or accounts is refused', async () => {
    const good = await proveRegistration(world.state)
    const otherWorker = await proveRegistration(world.state, { worker: stranger.address })
    const wrong: readonly Partial<RegistrationProof>[] = [
      { workerProof: good.stakeProof },
      { stakeProof: good.workerProof },
      { workerProof: good.stakeProof, stakeProof: good.workerProof },
      { workerProof: otherWorker.workerProof },
      { stakeProof: otherWorker.stakeProof },
      { accountProof: good.workerProof },
      { workerProof: good.accountProof },
    ]
    for (const change of wrong) {
      const result = await verifyWithRegistration(world, { ...good, ...change })
      assertStatus(result, 'registration', 'FAIL')
    }
  })

  it('with nodes left out, added, repeated, reordered or damaged is refused', async () => {
    const good = await proveRegistration(world.state)
    for (const key of ['accountProof', 'workerProof', 'stakeProof'] as const) {
      const nodes = good[key]
      assert.ok(nodes.length >= 2, 'the fixture has paths of several nodes')
      const damaged = nodes.map((node) => `${node.slice(0, -2)}${node.endsWith('00') ? '01' : '00'}` as const)
      const variants = [
        [],
        nodes.slice(0, -1),
        nodes.slice(1),
        [...nodes, nodes[0]],
        [...nodes, '0x80' as const],
        [...nodes].reverse(),
        damaged,
        Array.from({ length: 65 }, () => nodes[0]),
      ]
      for (const variant of variants) {
        const result = await verifyWithRegistration(world, { ...good, [key]: variant })
        assert.equal(result.exitCode, 1, `${key} ${variant.length}`)
        assertStatus(result, 'registration', 'FAIL')
      }
    }
  })

  it('of a kind nobody knows is skipped, does not count, and does no harm', async () => {
    const unknown = { kind: 'horoscope/7', receiptId, body: { stars: ['well', 'aligned'] } }
    const result = await verifyReceipt(withEvidence(world.file.receipt, [...world.file.evidence, unknown]), {
      checkpoint: world.checkpoint,
    })
    assertStatus(result, 'evidence', 'SKIP')
    assert.equal(result.exitCode, 0)
    const only = await verifyReceipt(withEvidence(world.file.receipt, [unknown]), { checkpoint: world.checkpoint })
    assert.equal(only.exitCode, 2)
  })

  it('about further blocks may travel along, and the checkpoint picks its own', async () => {
    const later = await proveRegistration(await buildState({ blockNumber: 43n }))
    const items = [{ kind: 'registration/1', receiptId, body: later }, ...world.file.evidence]
    const result = await verifyReceipt(withEvidence(world.file.receipt, items), { checkpoint: world.checkpoint })
    assert.equal(result.exitCode, 0)
    assertStatus(result, 'block', 'PASS')
  })
})

describe('the weights of a receipt', () => {
  it('are those that were published, or the receipt is refused', async () => {
    const world = await buildWorld({ core: { modelRoot: bytes32Of('cheaper weights') } })
    const result = await verifyReceipt(world.bytes, { checkpoint: world.checkpoint })
    assertStatus(result, 'model', 'FAIL')
    assertStatus(result, 'registration', 'PASS')
    assert.equal(result.exitCode, 1)
    assert.equal(result.level, null)
  })

  it('are of a model that exists, and whose least stake the worker has', async () => {
    for (const state of [{ modelStatus: 0 }, { modelStatus: 9 }, { minStakeWei: 10n ** 21n + 1n }]) {
      const world = await buildWorld({ state })
      const result = await verifyReceipt(world.bytes, { checkpoint: world.checkpoint })
      assertStatus(result, 'model', 'FAIL')
      assert.equal(result.exitCode, 1)
    }
    for (const state of [{ modelStatus: 2 }, { minStakeWei: 10n ** 21n }]) {
      const world = await buildWorld({ state })
      assert.equal((await verifyReceipt(world.bytes, { checkpoint: world.checkpoint })).exitCode, 0)
    }
  })

  it('are not shown by foreign, mixed up or cut proofs', async () => {
    const world = await buildWorld()
    const good = await proveModel(world.state)
    const changes: readonly Partial<ModelProof>[] = [
      { chainId: '1' },
      { model: bytes32Of('other model') as never },
      { registry: contracts.workerRegistry },
      { rootProof: good.headProof },
      { headProof: good.rootProof },
      { termsProof: good.rootProof },
      { termsProof: good.termsProof.slice(0, -1) },
      { accountProof: [] },
      { blockHeader: '0xc0' },
    ]
    for (const change of changes) {
      const [acceptance, registration] = world.file.evidence
      assert.ok(acceptance !== undefined && registration !== undefined)
      const item = { kind: 'model/1', receiptId: documentId(world.core), body: { ...good, ...change } }
      const result = await verifyReceipt(withEvidence(world.file.receipt, [acceptance, registration, item]), {
        checkpoint: world.checkpoint,
      })
      assertStatus(result, 'model', 'FAIL')
      assert.equal(result.exitCode, 1)
    }
  })
})

describe('a checkpoint', () => {
  let world: World
  before(async () => {
    world = await buildWorld()
  })

  it('of a network that was wiped and started again refuses receipts of the old one', async () => {
    const fresh = { ...world.checkpoint, chainId: '8888888888' }
    const result = await verifyReceipt(world.bytes, { checkpoint: fresh })
    assertStatus(result, 'network', 'FAIL')
    assert.equal(result.exitCode, 1)
  })

  it('of the same chain id but another history refuses', async () => {
    const result = await verifyReceipt(world.bytes, { checkpoint: { ...world.checkpoint, blockHash: bytes32Of('other history') } })
    assertStatus(result, 'block', 'FAIL')
    assertStatus(result, 'registration', 'SKIP')
    assert.equal(result.exitCode, 1)
  })

  it('with another block number for the same hash refuses', async () => {
    const result = await verifyReceipt(world.bytes, { checkpoint: { ...world.checkpoint, blockNumber: '41' } })
    assertStatus(result, 'block', 'FAIL')
  })

  it('of another deployment on the same chain refuses', async () => {
    for (const key of ['paymentPool', 'workerRegistry', 'modelRegistry'] as const) {
      const checkpoint = { ...world.checkpoint, contracts: { ...contracts, [key]: addressOfLabel('other deployment') } }
      assert.equal((await verifyReceipt(world.bytes, { checkpoint })).exitCode, 1, key)
    }
  })
})
