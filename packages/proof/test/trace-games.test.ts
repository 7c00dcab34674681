// Games over a trace: who is right wins, whatever the other one does.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createProofEngine } from '../src/engine.ts'
import { assertionOf, opensToAccepted } from '../src/trace/assertion.ts'
import { buildVerifier } from '../src/trace/build-verifier.ts'
import { applyMove, openGame } from '../src/trace/game.ts'
import { openStep } from '../src/trace/players.ts'
import { executeStep, type StepOpening } from '../src/trace/step.ts'
import { type Trace, traceVerification } from '../src/trace/trace.ts'
import { valueLeaf, wordBytes } from '../src/trace/value.ts'
import { seeded } from './support/layers.ts'
import { answering, assertRoot, ForgedTree, honestChallenger, insisting, type Player, play, proveSmall } from './support/trace-games.ts'

const engine = await createProofEngine()
const { statement, proof } = await proveSmall(engine, { kind: 'argmax', size: 2, chunk: 2, slots: 1 })
const program = buildVerifier(statement.spec, { engine })
const run = (bytes: Uint8Array): Trace => traceVerification(statement, bytes, { engine, program })
const right = run(proof)
const wrongProof = proof.map((byte, k) => (k === proof.length - 1 ? byte ^ 1 : byte))
const wrong = run(wrongProof)
const last = program.count - 1
const accepted = valueLeaf(last, wordBytes(1n))
const never: Player = () => undefined
// Other leaves than the trace's, in the way a liar makes them: one bit of the value changed.
const lie = (trace: Trace, k: number): Uint8Array =>
  valueLeaf(
    k,
    trace.value(k).map((byte, i) => (i === 31 ? byte ^ 1 : byte)),
  )

describe('an honest poster', () => {
  const { assertion, verdictPath } = assertionOf(right)
  const poster = answering(right.tree)

  it('opens the verdict when asserting', () => {
    assert.ok(opensToAccepted(assertion, verdictPath))
    assert.ok(!opensToAccepted(assertion, verdictPath.slice(1)))
    assert.ok(!opensToAccepted({ ...assertion, traceRoot: wrong.root }, verdictPath))
  })

  it('wins against a challenger who has any node executed', () => {
    for (let k = 0; k < program.count; k++)
      assert.equal(play(assertion, { poster, challenger: insisting(right, k) }).winner, 'poster', `node ${k}`)
  })

  it('wins against challengers who guess, stop, pick what does not exist, or open something else', () => {
    const next = seeded(3)
    for (let k = 0; k < 40; k++) {
      const guessing: Player = (game) =>
        game.turn === 'challenger' ? { move: 'pick', child: Math.floor(next() * game.revealed.length) } : undefined
      assert.equal(play(assertion, { poster, challenger: guessing }).winner, 'poster')
    }
    const outside: Player = (game) => (game.turn === 'challenger' ? { move: 'pick', child: game.revealed.length - 1 } : undefined)
    const strange: Player = (game) => (game.turn === 'challenger' ? { move: 'pick', child: 40 } : undefined)
    for (const challenger of [never, outside, strange]) assert.equal(play(assertion, { poster, challenger }).winner, 'poster')
    const elsewhere: Player = (game, reveals) =>
      game.turn === 'step' ? { move: 'step', opening: openStep(right, game.subtree.index - 1, []) } : insisting(right, 77)(game, reveals)
    assert.equal(play(assertion, { poster, challenger: elsewhere }).winner, 'poster')
  })

  it('wins when the step is opened with anything that was changed', () => {
    // one node per opcode
    const nodes = new Map(Array.from({ length: program.count }, (_, k) => [program.instruction(k).opcode, k]))
    for (const node of nodes.values()) {
      const opening = openStep(right, node, [])
      assert.deepEqual(executeStep(assertion, opening), right.value(node))
      for (const other of changedOpenings(opening)) {
        const value = executeStep(assertion, other)
        assert.ok(value === undefined, `node ${node}`)
      }
    }
  })
})

function changedOpenings(opening: StepOpening): readonly StepOpening[] {
  const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, k) => (k === bytes.length - 1 ? byte ^ 1 : byte))
  const { operands, source } = opening
  return [
    { ...opening, index: opening.index + 1 },
    { ...opening, index: -1 },
    { ...opening, instruction: flip(opening.instruction) },
    { ...opening, instruction: new Uint8Array(0) },
    { ...opening, instructionPath: opening.instructionPath.slice(1) },
    { ...opening, instructionPath: opening.instructionPath.map(flip) },
    { ...opening, operands: [...operands, { value: new Uint8Array(32), path: opening.instructionPath }] },
    ...operands.flatMap((operand, k) =>
      [
        { ...operand, value: flip(operand.value) },
        { ...operand, value: operand.value.slice(1) },
        { ...operand, path: operand.path.map(flip) },
      ].map((other) => ({
        ...opening,
        operands: operands.map((same, i) => (i === k ? other : same)),
      })),
    ),
    ...(source === undefined
      ? []
      : [
          { ...opening, source: undefined },
          { ...opening, source: { ...source, length: source.length + 1 } },
          { ...opening, source: { ...source, root: flip(source.root) } },
          ...(source.chunks.length === 0 ? [] : [{ ...opening, source: { ...source, chunks: [] } }]),
        ]),
  ]
}

describe('an honest challenger', () => {
  it('finds one changed value at every node', () => {
    const challenger = honestChallenger(right)
    for (let k = 0; k < program.count; k++) {
      const tree = new ForgedTree(right.tree, new Map([[k, lie(right, k)]]))
      const result = play(assertRoot(right, tree.root), { poster: answering(tree), challenger })
      assert.deepEqual([result.winner, result.node], ['challenger', k])
    }
  })

  it('refutes a wrong proof that somebody calls right, in a handful of moves', () => {
    assert.equal(wrong.verdict, false)
    const tree = new ForgedTree(wrong.tree, new Map([[last, accepted]]))
    const result = play(assertRoot(wrong, tree.root), { poster: answering(tree), challenger: honestChallenger(wrong) })
    assert.deepEqual([result.winner, result.node], ['challenger', last])
    assert.ok(result.moves <= 2 * Math.ceil(right.tree.depth / 4) + 1)
  })

  it('refutes a wrong proof with the values of a right one, and every mixture of both', () => {
    const next = seeded(4)
    const mixtures = [() => true, () => false, ...Array.from({ length: 20 }, () => () => next() < 0.5)]
    for (const pick of mixtures) {
      const leaves = new Map([[last, accepted]])
      for (let k = 0; k < last; k++) if (pick()) leaves.set(k, valueLeaf(k, right.value(k)))
      const tree = new ForgedTree(wrong.tree, leaves)
      assert.equal(
        play(assertRoot(wrong, tree.root), { poster: answering(tree), challenger: honestChallenger(wrong) }).winner,
        'challenger',
      )
    }
  })

  it('wins against random roots, withheld nodes, late answers and answers that do not fold', () => {
    const challenger = honestChallenger(wrong)
    const tree = new ForgedTree(wrong.tree, new Map([[last, accepted]]))
    const root = new Uint8Array(32).fill(9)
    assert.equal(play(assertRoot(wrong, root), { poster: answering(tree), challenger }).winner, 'challenger')
    for (let answers = 0; answers < Math.ceil(right.tree.depth / 4); answers++) {
      let left = answers
      const silent: Player = (game, reveals) => (left-- > 0 ? answering(tree)(game, reveals) : undefined)
      assert.equal(play(assertRoot(wrong, tree.root), { poster: silent, challenger }).winner, 'challenger')
      left = answers
      const bent: Player = (game, reveals) => {
        const move = answering(tree)(game, reveals)
        if (left-- > 0 || move?.move !== 'reveal') return move
        return { move: 'reveal', nodes: move.nodes.map((node, k) => (k === 0 ? root : node)) }
      }
      assert.equal(play(assertRoot(wrong, tree.root), { poster: bent, challenger }).winner, 'challenger')
    }
  })

  it('is not distracted by garbage behind the last instruction', () => {
    const holes = 2 ** right.tree.depth - program.count
    assert.ok(holes > 0)
    const garbage = new Map(Array.from({ length: holes }, (_, k) => [program.count + k, new Uint8Array(32).fill(k + 1)]))
    const dirty = new ForgedTree(right.tree, garbage)
    // nothing is wrong: there is no node to pick, and whoever challenges all the same loses
    assert.equal(play(assertRoot(right, dirty.root), { poster: answering(dirty), challenger: honestChallenger(right) }).winner, 'poster')
    for (const node of [program.count, program.count + holes - 1])
      assert.equal(play(assertRoot(right, dirty.root), { poster: answering(dirty), challenger: insisting(right, node) }).winner, 'poster')
    const both = new ForgedTree(wrong.tree, new Map([...garbage, [last, accepted]]))
    assert.equal(play(assertRoot(wrong, both.root), { poster: answering(both), challenger: honestChallenger(wrong) }).winner, 'challenger')
  })

  it('moves out of turn change nothing', () => {
    const { assertion } = assertionOf(right)
    const game = openGame(assertion)
    assert.equal(applyMove(assertion, game, { move: 'pick', child: 0 }), undefined)
    assert.equal(applyMove(assertion, game, { move: 'step', opening: openStep(right, last, []) }), undefined)
    assert.equal(applyMove(assertion, { turn: 'over', winner: 'poster' }, { move: 'timeout' }), undefined)
  })
})
