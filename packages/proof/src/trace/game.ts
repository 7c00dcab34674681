// The game over an assertion (docs/spec/verifier-trace.md, section 5) as a pure state machine: what a chain keeps and what it accepts.
import type { Assertion } from './assertion.ts'
import { hashPair, treeDepth } from './hash-tree.ts'
import { sameBytes } from './source.ts'
import { executeStep, type StepOpening } from './step.ts'
import { valueLeaf } from './value.ts'

/** Levels that a poster reveals at once. */
export const REVEAL_LEVELS = 4

/** The subtree in dispute: `level` levels above the leaves, committed to as `hash`. */
export type Subtree = { readonly level: number; readonly index: number; readonly hash: Uint8Array }

/** Who moves next, and about what. */
export type Game =
  | { readonly turn: 'poster'; readonly subtree: Subtree }
  | { readonly turn: 'challenger'; readonly subtree: Subtree; readonly revealed: readonly Uint8Array[] }
  | { readonly turn: 'step'; readonly subtree: Subtree }
  | { readonly turn: 'over'; readonly winner: 'poster' | 'challenger' }

/** What players do. */
export type Move =
  | { readonly move: 'reveal'; readonly nodes: readonly Uint8Array[] }
  | { readonly move: 'pick'; readonly child: number }
  | { readonly move: 'step'; readonly opening: StepOpening }
  | { readonly move: 'timeout' }

/** A game begins at the root of the trace. */
export function openGame({ program, traceRoot }: Assertion): Game {
  return about({ level: treeDepth(program.count), index: 0, hash: traceRoot })
}

function about(subtree: Subtree): Game {
  return subtree.level === 0 ? { turn: 'step', subtree } : { turn: 'poster', subtree }
}

/** The state after a move; undefined for a move that is not accepted, which changes nothing. A timeout is the caller's to know. */
export function applyMove(assertion: Assertion, game: Game, move: Move): Game | undefined {
  if (game.turn === 'over') return undefined
  // In the step it is the challenger who must not be late, although anybody may execute it.
  if (move.move === 'timeout') return { turn: 'over', winner: game.turn === 'poster' ? 'challenger' : 'poster' }
  const { subtree } = game
  if (game.turn === 'poster') return move.move === 'reveal' ? reveal(subtree, move.nodes) : undefined
  if (game.turn === 'challenger') return move.move === 'pick' ? pick(assertion, game, move.child) : undefined
  if (move.move !== 'step' || move.opening.index !== subtree.index) return undefined
  const value = executeStep(assertion, move.opening)
  if (value === undefined) return undefined
  return { turn: 'over', winner: sameBytes(valueLeaf(subtree.index, value), subtree.hash) ? 'poster' : 'challenger' }
}

function reveal(subtree: Subtree, nodes: readonly Uint8Array[]): Game | undefined {
  if (nodes.length !== 2 ** revealedLevels(subtree) || nodes.some((node) => node.length !== 32)) return undefined
  const [root] = foldRevealed(nodes).at(-1) ?? []
  return root !== undefined && sameBytes(root, subtree.hash) ? { turn: 'challenger', subtree, revealed: nodes } : undefined
}

/** How many levels below the root of a subtree are revealed. */
export function revealedLevels({ level }: Subtree): number {
  return Math.min(REVEAL_LEVELS, level)
}

/** Revealed nodes and everything above them, level by level. */
export function foldRevealed(nodes: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const levels = [nodes]
  for (let level = nodes; level.length > 1; levels.push(level))
    level = Array.from({ length: level.length / 2 }, (_, k) =>
      hashPair(level[2 * k] ?? new Uint8Array(32), level[2 * k + 1] ?? new Uint8Array(32)),
    )
  return levels
}

function pick(assertion: Assertion, game: Extract<Game, { readonly turn: 'challenger' }>, child: number): Game | undefined {
  const { subtree, revealed } = game
  const hash = revealed[child]
  const level = subtree.level - revealedLevels(subtree)
  const index = subtree.index * revealed.length + child
  if (hash === undefined || index * 2 ** level >= assertion.program.count) return undefined
  return about({ level, index, hash })
}
