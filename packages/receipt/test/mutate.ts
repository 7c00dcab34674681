// Changes one leaf of a JSON value to another value of the same shape, so that schemas alone do not catch it.

export type Path = readonly (string | number)[]

/** The path of every string, number, boolean and null inside a value. */
export function leafPaths(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, child]) => leafPaths(child, [...path, Array.isArray(value) ? Number(key) : key]))
}

/** A deep copy in which one leaf is changed, removed, or has an unknown key beside it. */
export function mutateLeaf(value: unknown, path: Path, how: 'change' | 'remove' | 'add sibling' = 'change'): unknown {
  const copy: unknown = structuredClone(value)
  let parent = copy as Record<string | number, unknown> // leafPaths gave the path of this very value
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string | number, unknown>
  const last = path.at(-1) ?? ''
  if (how === 'remove') delete parent[last]
  else if (how === 'add sibling') parent[`${last}2`] = parent[last]
  else parent[last] = changed(parent[last])
  return copy
}

const choices: Readonly<Record<string, string>> = {
  sealed: 'attested',
  signed: 'audited',
  paced: 'immediate',
  stop: 'length',
}

function changed(leaf: unknown): unknown {
  if (typeof leaf === 'number') return leaf + 1
  if (leaf === null) return `0x${'00'.repeat(32)}`
  if (typeof leaf !== 'string') return !leaf
  if (leaf in choices) return choices[leaf]
  if (leaf.startsWith('0x')) return `${leaf.slice(0, -3)}${leaf.at(-3) === '0' ? '1' : '0'}${leaf.slice(-2)}`
  if (/^\d+$/.test(leaf)) return String(BigInt(leaf) + 1n)
  return `${leaf}x`
}
