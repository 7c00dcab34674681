// What a poster asserts: that the verifier, run on these words, ends with the verdict 1.
import { rootOf, treeDepth } from './hash-tree.ts'
import { sameBytes } from './source.ts'
import type { Trace } from './trace.ts'
import { valueLeaf, wordBytes } from './value.ts'

/** An assertion as a chain keeps it. */
export type Assertion = {
  readonly words: readonly Uint8Array[]
  /** Number of instructions and Merkle root over them: a function of the layer spec. */
  readonly program: { readonly count: number; readonly root: Uint8Array }
  readonly traceRoot: Uint8Array
}

/** The assertion that a trace supports, with the opening of its verdict. */
export function assertionOf(trace: Trace): { readonly assertion: Assertion; readonly verdictPath: readonly Uint8Array[] } {
  const { program, input } = trace
  return {
    assertion: { words: input.words, program: { count: program.count, root: program.root }, traceRoot: trace.root },
    verdictPath: trace.tree.path(program.count - 1),
  }
}

/** Whether a trace root commits to the verdict 1: checked when an assertion is made. */
export function opensToAccepted({ program, traceRoot }: Assertion, verdictPath: readonly Uint8Array[]): boolean {
  const last = program.count - 1
  if (verdictPath.length !== treeDepth(program.count)) return false
  return sameBytes(rootOf(valueLeaf(last, wordBytes(1n)), last, verdictPath), traceRoot)
}
