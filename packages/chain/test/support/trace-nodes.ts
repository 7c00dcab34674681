// What to play in a game, written from docs/spec/verifier-trace.md, section 5, alone: a second opinion beside @tacit/proof/trace.
import { type Bytes32, keccak, parseHex } from '@tacit/protocol'

/** The tree over the values of a verifier's run. Leaves have height 0. */
export type TraceNodes = {
  readonly depth: number
  readonly nodeAt: (height: number, index: number) => Bytes32
}

/** The subtree that a game has come down to. */
export type GamePlace = { readonly height: number; readonly index: number }

/** What a poster revealed below a place. */
export type RevealedNodes = GamePlace & { readonly nodes: readonly Bytes32[] }

/** Levels of the tree per reveal. */
export const levelsPerReveal = 4

/** The nodes that the poster owes below a place, left to right. */
export function nodesBelow(trace: TraceNodes, place: GamePlace): readonly Bytes32[] {
  const levels = Math.min(levelsPerReveal, place.height)
  const first = place.index * 2 ** levels
  return Array.from({ length: 2 ** levels }, (_, k) => trace.nodeAt(place.height - levels, first + k))
}

/**
 * Which of the revealed nodes a challenger goes on with: the leftmost that differs from its own, so that every value before the step
 * that remains is agreed on. Undefined when none differs: then the subtree is right, and there was nothing to challenge.
 */
export function firstDifference(own: TraceNodes, { height, index, nodes }: RevealedNodes): number | undefined {
  const levels = Math.log2(nodes.length)
  const position = nodes.findIndex((node, k) => node !== own.nodeAt(height - levels, index * nodes.length + k))
  return position === -1 ? undefined : position
}

/**
 * The poster's tree as far as a challenger knows it: what was revealed, and its own nodes elsewhere. Paths of values before the step
 * that remains are the poster's, since its nodes left of the way down equal the challenger's.
 */
export function posterTrace(own: TraceNodes, reveals: readonly RevealedNodes[]): TraceNodes {
  const known = new Map<string, Bytes32>()
  for (const reveal of reveals) {
    let { nodes } = reveal
    let first = reveal.index * nodes.length
    for (let height = reveal.height - Math.log2(nodes.length); nodes.length > 0; height++) {
      for (const [k, node] of nodes.entries()) known.set(`${height}/${first + k}`, node)
      nodes = pairs(nodes)
      first = first / 2
    }
  }
  return { depth: own.depth, nodeAt: (height, index) => known.get(`${height}/${index}`) ?? own.nodeAt(height, index) }
}

/** The siblings of a leaf, from below. */
export function pathOf(trace: TraceNodes, leaf: number): readonly Bytes32[] {
  return Array.from({ length: trace.depth }, (_, height) => trace.nodeAt(height, Math.floor(leaf / 2 ** height) ^ 1))
}

function pairs(nodes: readonly Bytes32[]): readonly Bytes32[] {
  return Array.from({ length: Math.floor(nodes.length / 2) }, (_, k) => nodeOf(nodes[2 * k], nodes[2 * k + 1]))
}

function nodeOf(left: Bytes32 | undefined, right: Bytes32 | undefined): Bytes32 {
  return keccak(Uint8Array.of(1), parseHex(left ?? '0x', 'A node', 32), parseHex(right ?? '0x', 'A node', 32))
}
