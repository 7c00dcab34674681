import type { OnnxNode } from './model-proto.ts'

/**
 * Nodes in an order in which every value is defined before it is used; in the file's own order wherever that already holds. Nodes that
 * wait for themselves, or for a value that nobody defines, come last and are refused by whoever reads them.
 */
export function sortNodes(nodes: readonly OnnxNode[]): readonly OnnxNode[] {
  const producers = new Map<string, number>()
  for (const [index, node] of nodes.entries()) for (const output of node.outputs) if (output !== '') producers.set(output, index)
  const waitsFor = (index: number): number[] =>
    nodes[index] === undefined ? [] : usedNames(nodes[index]).flatMap((name) => producers.get(name) ?? [])
  if (nodes.every((_, index) => waitsFor(index).every((producer) => producer < index))) return nodes
  const sorted: OnnxNode[] = []
  const state = new Uint8Array(nodes.length)
  for (const start of nodes.keys()) {
    const stack = [start]
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = state[top] === 0 ? waitsFor(top).filter((producer) => state[producer] === 0 && producer !== top) : []
      if (state[top] === 0) {
        state[top] = 1
        stack.push(...next.reverse())
        continue
      }
      stack.pop()
      const node = nodes[top]
      if (state[top] === 1 && node !== undefined) sorted.push(node)
      state[top] = 2
    }
  }
  return sorted
}

/** What a node reads, the graphs inside it included. */
function usedNames(node: OnnxNode): string[] {
  const inner = [...node.attributes.values()].flatMap(({ graph }) => graph?.nodes.flatMap(usedNames) ?? [])
  return [...node.inputs, ...inner]
}
