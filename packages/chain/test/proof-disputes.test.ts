// Whole games on a real chain.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { keccak, parseAddress } from '@tacit/protocol'
import {
  anchorProofs,
  assertProof,
  challengeProof,
  chooseNode,
  claimTimeout,
  connectChain,
  encodeProofNetwork,
  defaultDisputeTerms,
  defaultParameters,
  executeStep,
  fetchAnchorTime,
  fetchAssertion,
  fetchDisputeTerms,
  fetchGame,
  fetchGameState,
  fetchIsVerified,
  fetchPublishedProof,
  fetchTokenBalance,
  finaliseProof,
  openProofBatch,
  proofBatchRoot,
  registerPrograms,
  revealNodes,
  TransactionRevertedError,
  verifyProofBatch,
  withdrawChallenge,
} from '../src/index.ts'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import {
  claimOf,
  gameOf,
  honestChoice,
  type Layer,
  makeProof,
  openAsChallenger,
  openAsPoster,
  otherThan,
  owedNodes,
  type Person,
  playDown,
  post,
  program,
  publishDisputableLayer,
  publishLayer,
  randomRoot,
  registered,
  richSender,
  stubbornChoice,
  traceOf,
} from './support/dispute.ts'
import { randomWord, startTemporaryChain, warp } from './support/local-chain.ts'
import { bytes32, instructionLeaf, openStep, toBytes, valueLeaf, word } from './support/test-machine.ts'

const reverts = (reason: string) => (error: unknown) => error instanceof TransactionRevertedError && error.reason === reason
const { posterBondWei: posterBond, challengerBondWei: challengerBond, moveSeconds } = defaultDisputeTerms
const burnt = parseAddress(`0x${'00'.repeat(18)}dead`)

describe('disputes about layer proofs', () => {
  let chain: EmbeddedChain
  let layer: Layer
  let poster: Person
  let challenger: Person
  before(async () => {
    chain = await startTemporaryChain()
    layer = await publishDisputableLayer(chain)
    poster = await richSender(chain)
    challenger = await richSender(chain)
  })
  after(async () => await chain[Symbol.asyncDispose]())

  const balances = async (...people: readonly Person[]) =>
    await Promise.all(
      [chain.deployment.contracts.proofDisputes ?? assert.fail(), burnt, ...people.map((person) => person.address)].map((account) =>
        fetchTokenBalance(chain.connection, account),
      ),
    )
  const moved = async (people: readonly Person[], work: () => Promise<unknown>): Promise<readonly bigint[]> => {
    const start = await balances(...people)
    await work()
    const end = await balances(...people)
    return end.map((balance, k) => balance - (start[k] ?? 0n))
  }
  const statusOf = async (assertionId: Parameters<typeof fetchAssertion>[1]) =>
    (await fetchAssertion(chain.connection, assertionId))?.status

  it('starts with the stated terms', async () => {
    assert.deepEqual(await fetchDisputeTerms(chain.connection), defaultDisputeTerms)
  })

  it('lets an unchallenged assertion stand after its window, and gives the bond back', async () => {
    const posted = await post(chain, poster, layer, { proof: makeProof(true) })
    await assert.rejects(finaliseProof(poster, posted.assertionId), reverts('NotDecided'))
    assert.equal(await fetchIsVerified(chain.connection, posted.assertionId, posted.subject), false)
    await warp(chain.connection, defaultParameters.disputeWindowSeconds + 1)
    await assert.rejects(challengeProof(challenger, posted.assertionId), reverts('TooLateToChallenge'))
    assert.deepEqual(await moved([poster], () => finaliseProof(challenger, posted.assertionId)), [-posterBond, 0n, posterBond])
    assert.equal(await statusOf(posted.assertionId), 'final')
    assert.equal(await fetchIsVerified(chain.connection, posted.assertionId, posted.subject), true)
    const other = { ...posted.subject, words: posted.subject.words.with(0, randomWord()) }
    assert.equal(await fetchIsVerified(chain.connection, posted.assertionId, other), false, 'not for another request')
    await assert.rejects(finaliseProof(poster, posted.assertionId), reverts('AssertionNotOpen'))
    await assert.rejects(assertProof(poster, posted.claim), reverts('AssertionExists'))
  })

  // One value of each kind of instruction; the full suite lies about every one.
  for (const lie of [3, 6, 8, 9, 11, 14, 16, 24, 27, program.length - 1])
    it(`a wrong proof: refutes a lie about instruction ${lie} (${program[lie]?.op})`, async () => {
      await refute(lie)
    })

  async function refute(lie: number): Promise<void> {
    const proof = makeProof(false)
    const lies = new Map([[lie, otherThan(traceOf(claimOf(chain, layer, { proof }).surroundings).values[lie] ?? assert.fail())]])
    const posted = await post(chain, poster, layer, { proof, lies: lie === program.length - 1 ? new Map() : lies })
    const published = (await fetchPublishedProof(chain.connection, posted.assertionId)) ?? assert.fail()
    assert.deepEqual([published.proof, published.inputs, published.output], [proof, posted.claim.inputs, posted.claim.output])
    assert.deepEqual([published.subject, published.traceRoot], [posted.subject, posted.claim.traceRoot])
    assert.deepEqual(published.subject.words, posted.surroundings.words, 'chain and challenger compute the same words')
    const own = traceOf(posted.surroundings)
    const key = await playDown([poster, challenger], posted, honestChoice(own))
    const game = (await fetchGame(chain.connection, key)) ?? assert.fail()
    assert.deepEqual([game.phase, game.index], ['step', lie])
    const step = await openAsChallenger(chain, key, { own, surroundings: posted.surroundings })
    const gain = posterBond / 2n
    assert.deepEqual(await moved([poster, challenger], () => executeStep(challenger, key, { subject: posted.subject, step })), [
      -posterBond - challengerBond,
      posterBond - gain,
      0n,
      challengerBond + gain,
    ])
    assert.deepEqual([await statusOf(posted.assertionId), (await fetchGame(chain.connection, key))?.phase], ['refuted', 'won'])
    await warp(chain.connection, defaultParameters.disputeWindowSeconds + 1)
    await assert.rejects(finaliseProof(poster, posted.assertionId), reverts('AssertionNotOpen'))
  }

  it('a withheld proof: the chain takes its words from the bytes that it got, whatever the poster computed with', async () => {
    const made = claimOf(chain, layer, { proof: makeProof(true) })
    const { assertionId, subject } = await assertProof(poster, { ...made.claim, proof: new Uint8Array() })
    assert.deepEqual((await fetchPublishedProof(chain.connection, assertionId))?.proof, new Uint8Array())
    const [, ...others] = made.surroundings.sources
    const surroundings = { words: subject.words, sources: [new Uint8Array(), ...others] }
    const own = traceOf(surroundings)
    const key = await playDown([poster, challenger], { ...made, assertionId, subject }, honestChoice(own))
    await executeStep(challenger, key, { subject, step: await openAsChallenger(chain, key, { own, surroundings }) })
    assert.equal(await statusOf(assertionId), 'refuted')
  })

  it('a withheld node: who does not answer in time loses', async () => {
    const posted = await post(chain, poster, layer, { proof: makeProof(true) })
    const key = gameOf(posted, challenger.address)
    await challengeProof(challenger, posted.assertionId)
    await assert.rejects(claimTimeout(challenger, key), reverts('StillTimeToMove'))
    await warp(chain.connection, moveSeconds + 1)
    const gain = posterBond / 2n
    assert.deepEqual(await moved([poster, challenger], () => claimTimeout(poster, key)), [
      -posterBond - challengerBond,
      posterBond - gain,
      0n,
      challengerBond + gain,
    ])
    assert.equal(await statusOf(posted.assertionId), 'refuted')
  })

  it('a random root: nothing folds to it', async () => {
    const made = claimOf(chain, layer, { proof: makeProof(true) })
    const tree = made.trace.nodes
    await assert.rejects(assertProof(poster, { ...made.claim, traceRoot: randomRoot() }), reverts('WrongVerdict'))
    const shallow = { ...made.claim, traceRoot: valueLeaf(program.length - 1, word(1n)), verdictPath: [] }
    await assert.rejects(assertProof(poster, shallow), reverts('WrongVerdict'))
    // A path of noise above a true verdict leads to a root that is as random.
    const noise = made.claim.verdictPath.map(() => randomRoot())
    const traceRoot = noise.reduce(
      (hash, sibling, height) => {
        const isRight = ((program.length - 1) >> height) % 2 === 1
        const pair = isRight ? [sibling, hash] : [hash, sibling]
        return keccak(Uint8Array.of(1), ...pair.map(toBytes))
      },
      tree.nodeAt(0, program.length - 1),
    )
    const { assertionId } = await assertProof(poster, { ...made.claim, traceRoot, verdictPath: noise.map(toBytes) })
    const key = { assertionId, challenger: challenger.address }
    await challengeProof(challenger, assertionId)
    await assert.rejects(revealNodes(poster, key, await owedNodes(chain, key, tree)), reverts('WrongNodes'))
    await warp(chain.connection, moveSeconds + 1)
    await claimTimeout(challenger, key)
    assert.equal(await statusOf(assertionId), 'refuted')
  })

  it('a late answer is no answer', async () => {
    const posted = await post(chain, poster, layer, { proof: makeProof(true) })
    const key = gameOf(posted, challenger.address)
    await challengeProof(challenger, posted.assertionId)
    const nodes = await owedNodes(chain, key, posted.trace.nodes)
    await warp(chain.connection, moveSeconds + 1)
    await assert.rejects(revealNodes(poster, key, nodes), reverts('TooLateToMove'))
    await claimTimeout(challenger, key)
    assert.equal(await statusOf(posted.assertionId), 'refuted')
  })

  it('an honest poster wins wherever a lying challenger goes', async () => {
    const posted = await post(chain, poster, layer, { proof: makeProof(true) })
    const gain = challengerBond / 2n
    for (const leaf of [0, 6, 9, 12, 16, 26, program.length - 1]) {
      const liar = await richSender(chain)
      const key = await playDown([poster, liar], posted, stubbornChoice(leaf))
      const step = openAsPoster(posted, leaf)
      assert.deepEqual(await moved([poster, liar], () => executeStep(poster, key, { subject: posted.subject, step })), [
        -challengerBond,
        challengerBond - gain,
        gain,
        0n,
      ])
      assert.equal((await fetchGame(chain.connection, key))?.phase, 'lost')
      await assert.rejects(challengeProof(liar, posted.assertionId), reverts('GameExists'))
    }
    await warp(chain.connection, defaultParameters.disputeWindowSeconds + 1)
    await finaliseProof(poster, posted.assertionId)
  })

  it('a challenger finds nothing behind the last instruction, and takes no other nodes', async () => {
    const posted = await post(chain, poster, layer, { proof: makeProof(true) })
    const key = gameOf(posted, challenger.address)
    await challengeProof(challenger, posted.assertionId)
    const nodes = await owedNodes(chain, key, posted.trace.nodes)
    await assert.rejects(chooseNode(challenger, posted.assertionId, { nodes, position: 0 }), reverts('WrongPhase'))
    await assert.rejects(revealNodes(poster, key, nodes.slice(0, 8)), reverts('WrongNodes'))
    await revealNodes(challenger, key, nodes) // anybody may: there is only one row
    await assert.rejects(revealNodes(poster, key, nodes), reverts('WrongPhase'))
    // 34 instructions in a tree of 64: nodes 9 to 15 of this row have none below them.
    await assert.rejects(chooseNode(challenger, posted.assertionId, { nodes, position: 9 }), reverts('WrongChoice'))
    await assert.rejects(chooseNode(challenger, posted.assertionId, { nodes, position: 16 }), reverts('WrongChoice'))
    await assert.rejects(chooseNode(challenger, posted.assertionId, { nodes: nodes.toReversed(), position: 0 }), reverts('WrongNodes'))
    await assert.rejects(chooseNode(poster, posted.assertionId, { nodes, position: 0 }), reverts('WrongPhase'))
    await chooseNode(challenger, posted.assertionId, { nodes, position: 8 })
    const last = await owedNodes(chain, key, posted.trace.nodes)
    await revealNodes(poster, key, last)
    await assert.rejects(chooseNode(challenger, posted.assertionId, { nodes: last, position: 2 }), reverts('WrongChoice'))
    await chooseNode(challenger, posted.assertionId, { nodes: last, position: 0 })
    // Only the step of this leaf, of this subject, decides.
    const step = openAsPoster(posted, 32)
    await assert.rejects(executeStep(poster, key, { subject: posted.subject, step: openAsPoster(posted, 31) }), reverts('WrongInstruction'))
    const other = { ...posted.subject, programRoot: randomRoot() }
    await assert.rejects(executeStep(poster, key, { subject: other, step }), reverts('WrongSubject'))
    const [a, ...rest] = step.operands
    const forged = { ...step, operands: [{ ...(a ?? assert.fail()), value: bytes32(7n) }, ...rest] }
    await assert.rejects(executeStep(poster, key, { subject: posted.subject, step: forged }), reverts('WrongOperand'))
    await executeStep(poster, key, { subject: posted.subject, step })
    assert.equal((await fetchGame(chain.connection, key))?.phase, 'lost')
  })

  it('a challenger that goes silent loses, before a choice and before a step', async () => {
    const posted = await post(chain, poster, layer, { proof: makeProof(true) })
    const gain = challengerBond / 2n
    const silent = await richSender(chain)
    const first = gameOf(posted, silent.address)
    await challengeProof(silent, posted.assertionId)
    const nodes = await owedNodes(chain, first, posted.trace.nodes)
    await revealNodes(poster, first, nodes)
    const second = await playDown([poster, challenger], posted, stubbornChoice(5))
    await warp(chain.connection, moveSeconds + 1)
    await assert.rejects(chooseNode(silent, posted.assertionId, { nodes, position: 0 }), reverts('TooLateToMove'))
    for (const key of [first, second])
      assert.deepEqual(await moved([poster], () => claimTimeout(poster, key)), [-challengerBond, challengerBond - gain, gain])
    await assert.rejects(claimTimeout(poster, first), reverts('WrongPhase'))
    await warp(chain.connection, defaultParameters.disputeWindowSeconds + 1)
    await finaliseProof(poster, posted.assertionId)
  })

  it('a colluding challenger keeps nobody out, and a race costs no honest challenger its bond', async () => {
    const proof = makeProof(false)
    const posted = await post(chain, poster, layer, { proof })
    const friend = await richSender(chain)
    const second = await richSender(chain)
    await challengeProof(friend, posted.assertionId) // first, and never moves again
    await challengeProof(second, posted.assertionId)
    const own = traceOf(posted.surroundings)
    const key = await playDown([poster, challenger], posted, honestChoice(own))
    const step = await openAsChallenger(chain, key, { own, surroundings: posted.surroundings })
    await assert.rejects(withdrawChallenge(second, gameOf(posted, second.address)), reverts('AssertionNotOpen'))
    await executeStep(challenger, key, { subject: posted.subject, step })
    await assert.rejects(challengeProof(await richSender(chain), posted.assertionId), reverts('AssertionNotOpen'))
    assert.deepEqual(await moved([second], () => withdrawChallenge(poster, gameOf(posted, second.address))), [
      -challengerBond,
      0n,
      challengerBond,
    ])
    await assert.rejects(withdrawChallenge(second, gameOf(posted, second.address)), reverts('WrongPhase'))
    await assert.rejects(withdrawChallenge(challenger, key), reverts('WrongPhase'))
    await warp(chain.connection, moveSeconds + 1)
    await assert.rejects(claimTimeout(poster, gameOf(posted, friend.address)), reverts('AssertionNotOpen'))
  })

  it('keeps an assertion from becoming final while a game goes on', async () => {
    const posted = await post(chain, poster, layer, { proof: makeProof(true) })
    const key = gameOf(posted, challenger.address)
    await warp(chain.connection, defaultParameters.disputeWindowSeconds - 60)
    await challengeProof(challenger, posted.assertionId)
    await warp(chain.connection, 120)
    await assert.rejects(finaliseProof(poster, posted.assertionId), reverts('NotDecided'))
    await revealNodes(poster, key, await owedNodes(chain, key, posted.trace.nodes))
    await warp(chain.connection, moveSeconds + 1)
    await claimTimeout(poster, key)
    await finaliseProof(poster, posted.assertionId)
    assert.equal(await statusOf(posted.assertionId), 'final')
  })

  it('takes programs from the owner only, for registrations that the model was published with, once', async () => {
    const { owner, modelId, network, artifact, ...rest } = await publishLayer(chain)
    const commitments = { artifact, q8: null, proof: keccak(encodeProofNetwork(network)), fhe: null }
    const registration = { modelId, commitments, network, programs: [registered] }
    const unregistered = claimOf(chain, { owner, modelId, ...rest }, { proof: makeProof(true) })
    await assert.rejects(assertProof(poster, unregistered.claim), reverts('UnregisteredProgram'))
    await assert.rejects(registerPrograms(poster, registration), reverts('NotOwnerOfModel'))
    const changed = { ...network, inputCount: 2 }
    await assert.rejects(registerPrograms(owner, { ...registration, network: changed }), reverts('WrongNetwork'))
    const forged = { ...registration, network: changed, commitments: { ...commitments, proof: keccak(encodeProofNetwork(changed)) } }
    await assert.rejects(registerPrograms(owner, forged), reverts('WrongNetwork'))
    await assert.rejects(registerPrograms(owner, { ...registration, programs: [] }), reverts('WrongNetwork'))
    await assert.rejects(registerPrograms(owner, { ...registration, programs: [registered, registered] }), reverts('WrongNetwork'))
    const endless = { ...registered, steps: 2 ** 24 }
    await assert.rejects(registerPrograms(owner, { ...registration, programs: [endless] }), reverts('InvalidProgram'))
    await registerPrograms(owner, { ...registration, programs: [null] })
    await registerPrograms(owner, registration)
    await assert.rejects(registerPrograms(owner, registration), reverts('ProgramExists'))
    const { claim } = unregistered
    const substitutes = [
      { ...claim, program: { ...registered, root: randomRoot() } },
      { ...claim, program: { ...registered, steps: registered.steps + 1 } },
      { ...claim, specDigest: randomWord() },
      { ...claim, weightsDigest: randomWord() },
      { ...claim, layerIndex: 1 },
      { ...claim, modelId: layer.modelId },
    ]
    for (const substitute of substitutes) await assert.rejects(assertProof(poster, substitute), reverts('UnregisteredProgram'))
    await assertProof(poster, claim)
  })

  it('plays about a program of one instruction too', async () => {
    const { owner, modelId, network, artifact, ...rest } = await publishLayer(chain)
    const one = program[0] ?? assert.fail()
    const single = { root: instructionLeaf(0, one), steps: 1 }
    const commitments = { artifact, q8: null, proof: keccak(encodeProofNetwork(network)), fhe: null }
    await registerPrograms(owner, { modelId, commitments, network, programs: [single] })
    const made = claimOf(chain, { owner, modelId, ...rest }, { proof: makeProof(true) })
    const claim = { ...made.claim, program: single, traceRoot: valueLeaf(0, word(1n)), verdictPath: [] }
    await assert.rejects(assertProof(poster, { ...claim, traceRoot: valueLeaf(0, word(0n)) }), reverts('WrongVerdict'))
    const { assertionId, subject } = await assertProof(poster, claim)
    const key = { assertionId, challenger: challenger.address }
    await challengeProof(challenger, assertionId)
    assert.equal((await fetchGameState(chain.connection, key))?.game.turn, 'step')
    const step = openStep(0, [one], { values: [word(1n)], pathTo: () => [] }, made.surroundings)
    await executeStep(poster, key, { subject, step })
    assert.deepEqual((await fetchGameState(chain.connection, key))?.game, { turn: 'over', winner: 'poster' })
  })

  it('anchors batches of proofs, whose members anybody shows offline', async () => {
    for (const count of [1, 2, 5, 8]) {
      const digests = Array.from({ length: count }, () => randomWord())
      const root = proofBatchRoot(digests)
      await anchorProofs(poster, { root, count })
      assert.ok((await fetchAnchorTime(chain.connection, poster.address, root)) !== undefined)
      assert.equal(await fetchAnchorTime(chain.connection, challenger.address, root), undefined, 'in its own name only')
      await assert.rejects(anchorProofs(poster, { root, count }), reverts('AlreadyAnchored'))
      for (const [index, digest] of digests.entries()) {
        const opening = openProofBatch(digests, index)
        assert.equal(verifyProofBatch(root, digest, opening), true)
        const wrong = [
          { ...opening, index: index + 1 },
          { ...opening, count: count + 1 },
          { ...opening, path: [...opening.path, randomWord()] },
          ...(count > 1 ? [{ ...opening, path: opening.path.slice(1) }] : []),
          { ...opening, index: -1 },
          { ...opening, index: Number.NaN },
        ]
        for (const changed of wrong) assert.equal(verifyProofBatch(root, digest, changed), false)
        assert.equal(verifyProofBatch(root, randomWord(), opening), false)
        assert.equal(verifyProofBatch(randomWord(), digest, opening), false)
      }
    }
    await assert.rejects(anchorProofs(poster, { root: randomWord(), count: 0 }), reverts('EmptyBatch'))
  })

  it('says so on networks that are older than disputes', async () => {
    const { proofDisputes: _, proofAnchors: __, ...older } = chain.deployment.contracts
    const connection = await connectChain(chain.url, { deployment: { ...chain.deployment, contracts: older } })
    await assert.rejects(fetchDisputeTerms(connection), { code: 'chain.deployment-missing' })
    await assert.rejects(fetchAnchorTime(connection, poster.address, randomWord()), { code: 'chain.deployment-missing' })
  })
})
