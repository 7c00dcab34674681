// How an honest poster and an honest challenger play: pure functions of their own trace and of what was revealed so far.
import { type Game, foldRevealed, type Move, revealedLevels, type Subtree } from './game.ts'
import type { HashTree } from './hash-tree.ts'
import { encodeInstruction, operandsOf } from './instruction.ts'
import { openSource, sameBytes } from './source.ts'
import { sourceReads, type StepOpening } from './step.ts'
import type { Trace } from './trace.ts'

/** A reveal that happened in the game, as every observer sees it. */
export type Reveal = { readonly subtree: Subtree; readonly nodes: readonly Uint8Array[] }

/** What a poster holds: the tree behind its root. A `Trace` is one. */
export type CommittedTrace = { readonly tree: Pick<HashTree, 'node'> }

/** The poster answers with the nodes of its own tree; undefined when it is not its turn. */
export function posterMove(trace: CommittedTrace, game: Game): Move | undefined {
  if (game.turn !== 'poster') return undefined
  const levels = revealedLevels(game.subtree)
  const { level, index } = game.subtree
  const nodes = Array.from({ length: 2 ** levels }, (_, k) => trace.tree.node(level - levels, index * 2 ** levels + k))
  return { move: 'reveal', nodes }
}

/**
 * The challenger goes down to the first node that differs from its own and has it executed. Undefined when it is not its turn, or when
 * nothing differs: then there is nothing to challenge.
 */
export function challengerMove(trace: Trace, game: Game, reveals: readonly Reveal[]): Move | undefined {
  if (game.turn === 'step') return { move: 'step', opening: openStep(trace, game.subtree.index, reveals) }
  if (game.turn !== 'challenger') return undefined
  const { subtree, revealed } = game
  const level = subtree.level - revealedLevels(subtree)
  const first = subtree.index * revealed.length
  const child = revealed.findIndex(
    (node, k) => (first + k) * 2 ** level < trace.program.count && !sameBytes(node, trace.tree.node(level, first + k)),
  )
  return child < 0 ? undefined : { move: 'pick', child }
}

/**
 * Opens a node and its operands against the poster's root. All leaves before the node equal the challenger's, so their paths consist of
 * its own nodes and of revealed ones.
 */
export function openStep(trace: Trace, index: number, reveals: readonly Reveal[]): StepOpening {
  const instruction = trace.program.instruction(index)
  const revealed = new Map<string, Uint8Array>()
  for (const { subtree, nodes } of reveals) {
    const bottom = subtree.level - revealedLevels(subtree)
    foldRevealed(nodes).forEach((row, up) => {
      const first = subtree.index * row.length
      row.forEach((node, k) => {
        revealed.set(`${bottom + up}/${first + k}`, node)
      })
    })
  }
  const path = (leaf: number): readonly Uint8Array[] =>
    Array.from({ length: trace.tree.depth }, (_, level) => {
      const sibling = (leaf >>> level) ^ 1
      return revealed.get(`${level}/${sibling}`) ?? trace.tree.node(level, sibling)
    })
  const range = sourceReads(instruction)
  return {
    index,
    instruction: encodeInstruction(instruction),
    instructionPath: trace.program.tree.path(index),
    operands: operandsOf(instruction).map((node) => ({ value: trace.value(node), path: path(node) })),
    source: range && openSource(trace.input.sources[range.source] ?? new Uint8Array(0), range.offset, range.length),
  }
}
