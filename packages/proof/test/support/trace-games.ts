// Posters and challengers for games over a trace: honest ones, and those that lie.
import type { LayerSpec } from '@tacit/protocol'
import { commitActivation } from '../../src/commit/activation.ts'
import type { ProofEngine } from '../../src/engine.ts'
import { proveLayer } from '../../src/prover/prove-layer.ts'
import { createRelation } from '../../src/relation/create-relation.ts'
import { type Assertion, assertionOf } from '../../src/trace/assertion.ts'
import { applyMove, type Game, type Move, openGame } from '../../src/trace/game.ts'
import { hashPair, type HashTree } from '../../src/trace/hash-tree.ts'
import { challengerMove, posterMove, type Reveal } from '../../src/trace/players.ts'
import type { ProvedLayer } from '../../src/verifier/verify-layer.ts'
import type { Trace } from '../../src/trace/trace.ts'
import { buildLayer, random } from './layers.ts'
import { tinyTensor, tinyWeights } from './small-layers.ts'

/** An honest proof of one of the small layers. */
export async function proveSmall(engine: ProofEngine, spec: LayerSpec, seed = 5): Promise<ProvedLayer> {
  const layouts = createRelation(spec).inputs
  const inputs = await Promise.all(
    layouts.map((layout, k) => commitActivation(tinyTensor(layout.groups * layout.length, seed + 10 * k), layout, { engine, random })),
  )
  const weights = tinyWeights(spec, seed + 1)
  const { statement, witness } = await buildLayer(engine, spec, { inputs, ...(weights === undefined ? {} : { weights }) })
  return { statement, proof: await proveLayer(statement, witness, { engine, random }) }
}

/** A tree in which some leaves are others than the trace's. */
export class ForgedTree {
  readonly #tree: HashTree
  readonly #levels: readonly Map<number, Uint8Array>[]

  constructor(tree: HashTree, leaves: ReadonlyMap<number, Uint8Array>) {
    this.#tree = tree
    const levels = [new Map(leaves)]
    for (let level = 0; level < tree.depth; level++) {
      const above = new Map<number, Uint8Array>()
      const node = (index: number): Uint8Array => levels[level]?.get(index) ?? tree.node(level, index)
      for (const index of levels[level]?.keys() ?? []) above.set(index >> 1, hashPair(node(index & ~1), node(index | 1)))
      levels.push(above)
    }
    this.#levels = levels
  }

  node(level: number, index: number): Uint8Array {
    return this.#levels[level]?.get(index) ?? this.#tree.node(level, index)
  }

  get root(): Uint8Array {
    return this.node(this.#tree.depth, 0)
  }
}

/** An assertion about the trace's words and program under any root. */
export function assertRoot(trace: Trace, traceRoot: Uint8Array): Assertion {
  return { ...assertionOf(trace).assertion, traceRoot }
}

/** How a game is played: a move, or undefined for somebody who lets the deadline pass. */
export type Player = (game: Game, reveals: readonly Reveal[]) => Move | undefined

/** A poster who answers from a tree. */
export const answering =
  (tree: Pick<HashTree, 'node'>): Player =>
  (game) =>
    posterMove({ tree }, game)

/** The honest challenger. */
export const honestChallenger =
  (trace: Trace): Player =>
  (game, reveals) =>
    challengerMove(trace, game, reveals)

/** A challenger who has a given node executed, whatever was revealed. */
export const insisting =
  (trace: Trace, node: number): Player =>
  (game, reveals) => {
    if (game.turn !== 'challenger') return challengerMove(trace, game, reveals)
    const below = game.subtree.level - Math.log2(game.revealed.length)
    return { move: 'pick', child: Math.floor(node / 2 ** below) % game.revealed.length }
  }

/** Plays to the end; a move that is not accepted counts as a missed deadline. */
export function play(
  assertion: Assertion,
  players: { readonly poster: Player; readonly challenger: Player },
): {
  readonly winner: 'poster' | 'challenger'
  readonly moves: number
  readonly node: number | undefined
} {
  const reveals: Reveal[] = []
  let game = openGame(assertion)
  let moves = 0
  let node: number | undefined
  while (game.turn !== 'over') {
    const move = (game.turn === 'poster' ? players.poster : players.challenger)(game, reveals) ?? { move: 'timeout' as const }
    const next = applyMove(assertion, game, move) ?? applyMove(assertion, game, { move: 'timeout' })
    if (next === undefined) throw new Error('A timeout is always accepted.')
    if (next.turn === 'challenger') reveals.push({ subtree: next.subtree, nodes: next.revealed })
    if (next.turn === 'step') node = next.subtree.index
    game = next
    moves++
  }
  return { winner: game.winner, moves, node }
}
