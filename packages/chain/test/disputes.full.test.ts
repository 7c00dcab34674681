// Every instruction of a program disputed from both sides, and proofs of every kind of layer.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createProofEngine } from '@tacit/proof'
import { challengerMove, type Trace, traceVerification } from '@tacit/proof/trace'
import { executeStep, fetchGame } from '../src/index.ts'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { createRelation } from '../../proof/src/relation/create-relation.ts'
import { evaluate } from '../../proof/test/support/layers.ts'
import { smallLayers, tinyTensor, tinyWeights } from '../../proof/test/support/small-layers.ts'
import {
  claimOf as smallClaim,
  honestChoice,
  type Layer,
  makeProof,
  openAsChallenger,
  openAsPoster,
  otherThan,
  type Person,
  playDown,
  post,
  program,
  publishDisputableLayer,
  richSender,
  stubbornChoice,
  traceOf,
} from './support/dispute.ts'
import { claimOf, lieAbout, playGame, proveCase } from './support/layer-dispute.ts'
import { startTemporaryChain } from './support/local-chain.ts'

describe('disputes, at length', () => {
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

  it('refute a lie about any instruction', async () => {
    for (const lie of program.keys()) {
      const proof = makeProof(false)
      const truth = traceOf(smallClaim(chain, layer, { proof }).surroundings).values[lie] ?? assert.fail()
      const lies = lie === program.length - 1 ? new Map() : new Map([[lie, otherThan(truth)]])
      const posted = await post(chain, poster, layer, { proof, lies })
      const own = traceOf(posted.surroundings)
      const key = await playDown([poster, challenger], posted, honestChoice(own))
      const step = await openAsChallenger(chain, key, { own, surroundings: posted.surroundings })
      await executeStep(challenger, key, { subject: posted.subject, step })
      const game = (await fetchGame(chain.connection, key)) ?? assert.fail()
      assert.deepEqual([game.index, game.phase], [lie, 'won'])
    }
  })

  it('uphold the truth about any instruction', async () => {
    for (const leaf of program.keys()) {
      const posted = await post(chain, poster, layer, { proof: makeProof(true) })
      const key = await playDown([poster, challenger], posted, stubbornChoice(leaf))
      await executeStep(poster, key, { subject: posted.subject, step: openAsPoster(posted, leaf) })
      assert.equal((await fetchGame(chain.connection, key))?.phase, 'lost')
    }
  })

  for (const [name, spec] of Object.entries(smallLayers))
    it(`decide about the proof of a layer: ${name}`, async () => {
      const engine = await createProofEngine()
      const relation = createRelation(spec)
      const values = relation.inputs.map(({ groups, length }, k) => tinyTensor(groups * length, 5 + 10 * k))
      const weights = tinyWeights(spec, 6)
      const inputs = relation.inputs.map((layout, k) => ({ layout, values: values[k] ?? assert.fail() }))
      const output = { layout: relation.output, values: evaluate(engine, spec, values, weights) }
      const proved = await proveCase(chain, engine, { spec, weights, inputs, output })
      const wrong = proved.proof.with(40, (proved.proof[40] ?? 0) ^ 1)
      const trace = traceVerification(proved.statement, wrong, { engine, program: proved.program })
      assert.equal(trace.verdict, false)
      const last = proved.program.count - 1
      for (const node of lastOfEachOpcode(trace)) {
        const tree = lieAbout(trace, node)
        const claim = claimOf(proved, trace, { root: tree.root, verdictPath: tree.path(last) })
        assert.equal((await playGame(chain, engine, proved, { poster, challenger, claim, tree })).winner, 'challenger', `node ${node}`)
      }
      const right = traceVerification(proved.statement, proved.proof, { engine, program: proved.program })
      assert.equal(right.verdict, true)
      const pick = (): typeof challengerMove => (own, game, reveals) =>
        game.turn === 'challenger' ? { move: 'pick', child: 0 } : challengerMove(own, game, reveals)
      const claim = claimOf(proved, right)
      assert.equal((await playGame(chain, engine, proved, { poster, challenger, claim, tree: right.tree, pick })).winner, 'poster')
    })
})

function lastOfEachOpcode({ program: layer }: Trace): readonly number[] {
  const places = new Map<number, number>()
  for (let node = 0; node < layer.count; node++) places.set(layer.instruction(node).opcode, node)
  return [...places.values()]
}
