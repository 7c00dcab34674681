export { assertionOf, type Assertion, opensToAccepted } from './trace/assertion.ts'
export { buildVerifier } from './trace/build-verifier.ts'
export { execute, type Reads } from './trace/execute.ts'
export { applyMove, type Game, type Move, openGame, REVEAL_LEVELS, revealedLevels, type Subtree } from './trace/game.ts'
export { hashPair, HashTree, rootOf, treeDepth } from './trace/hash-tree.ts'
export {
  decodeInstruction,
  encodeInstruction,
  type Instruction,
  instructionSet,
  opcodeOf,
  operandsOf,
  type OpName,
  type ValueKind,
} from './trace/instruction.ts'
export { challengerMove, type CommittedTrace, openStep, posterMove, type Reveal } from './trace/players.ts'
export { instructionLeaf, Program } from './trace/program.ts'
export {
  bytesAt,
  type OpenedChunk,
  type OpenedSource,
  openSource,
  readOpening,
  type VerifierInput,
  verifierInput,
} from './trace/source.ts'
export { executeStep, type OpenedOperand, sourceReads, type StepOpening } from './trace/step.ts'
export { runProgram, Trace, traceVerification } from './trace/trace.ts'
export { type Value, valueLeaf } from './trace/value.ts'
export { CHUNK_BYTES, chunkRoot, dataDigest } from './digest.ts'
