// Disputes about proofs of real layers, from the prover to the instruction that the chain executes.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { keccak } from '@tacit/protocol'
import { createProofEngine, networkDigest } from '@tacit/proof'
import { challengerMove, traceVerification } from '@tacit/proof/trace'
import { encodeProofNetwork, fetchAssertion } from '../src/index.ts'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { type Person, richSender } from './support/dispute.ts'
import { claimOf, lieAbout, playGame, type ProvedCase, proveCase } from './support/layer-dispute.ts'
import { denseCase } from './support/layer-cases.ts'
import { startTemporaryChain } from './support/local-chain.ts'

const engine = await createProofEngine()

describe('a dispute about the proof of a dense layer', () => {
  let chain: EmbeddedChain
  let proved: ProvedCase
  let poster: Person
  let challenger: Person
  before(async () => {
    chain = await startTemporaryChain()
    proved = await proveCase(chain, engine, denseCase(5, 3))
    poster = await richSender(chain)
    challenger = await richSender(chain)
  })
  after(async () => await chain[Symbol.asyncDispose]())

  it('describes the network in the bytes that the digest of its card is made of', () => {
    assert.equal(keccak(encodeProofNetwork(proved.network)), networkDigest(proved.network))
  })

  it('is won against a wrong proof, whichever value the poster lies about', async () => {
    const wrong = proved.proof.with(proved.proof.length - 1, (proved.proof.at(-1) ?? 0) ^ 1)
    const trace = traceVerification(proved.statement, wrong, { engine, program: proved.program })
    assert.equal(trace.verdict, false)
    const last = proved.program.count - 1
    for (const node of [0, Math.floor(last / 2), last - 1]) {
      const tree = lieAbout(trace, node)
      const claim = claimOf({ ...proved, proof: wrong }, trace, { root: tree.root, verdictPath: tree.path(last) })
      const { winner, key } = await playGame(chain, engine, proved, { poster, challenger, claim, tree })
      assert.equal(winner, 'challenger')
      assert.equal((await fetchAssertion(chain.connection, key.assertionId))?.status, 'refuted')
    }
  })

  it('is lost against an honest proof, wherever the challenger goes', async () => {
    const trace = traceVerification(proved.statement, proved.proof, { engine, program: proved.program })
    assert.equal(trace.verdict, true)
    const stubborn = (): typeof challengerMove => (own, game, reveals) => {
      if (game.turn !== 'challenger') return challengerMove(own, game, reveals)
      const below = game.subtree.level - Math.log2(game.revealed.length)
      return { move: 'pick', child: Math.floor((proved.program.count - 1) / 2 ** below) % game.revealed.length }
    }
    const { winner } = await playGame(chain, engine, proved, {
      poster,
      challenger,
      claim: claimOf(proved, trace),
      tree: trace.tree,
      pick: stubborn,
    })
    assert.equal(winner, 'poster')
  })
})
