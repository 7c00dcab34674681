// Assertions that layer proofs verify, and the games about them: docs/spec/verifier-trace.md. What to reveal, choose and execute is
// computed from traces, elsewhere; this file only says it to the chain.
import { encodeAbiParameters, type TransactionReceipt } from 'viem'
import {
  type Address,
  type Bytes32,
  type Hex,
  keccak,
  type ModelId,
  parseBytes32,
  parseHex,
  toHex,
  type WeightCommitments,
} from '@tacit/protocol'
import { encodeCall } from '../call.ts'
import type { ChainConnection } from '../connection.ts'
import { proofDisputesAbi } from '../generated/proof-disputes.ts'
import { verifierMachineAbi } from '../generated/verifier-machine.ts'
import { readContract } from '../internal/read-contract.ts'
import { encodeProofNetwork, type ProofNetwork } from '../proof-network.ts'
import type { TransactionSender } from '../transaction-sender.ts'
import {
  disputesAddress,
  type DisputeSubject,
  fetchDisputeTerms,
  type GameKey,
  type GameTurn,
  toSubject,
  toWords,
} from './dispute-reads.ts'
import { ensureAllowance } from './token.ts'

/** The instructions of a layer's verifier, by root and number. */
export type VerifierProgram = { readonly root: Bytes32; readonly steps: number }

/** What a poster asserts: that this proof of this layer verifies. Chain and registry complete the proof's context. */
export type ProofClaim = {
  readonly modelId: ModelId
  readonly layerIndex: number
  readonly requestId: Bytes32
  readonly nonce: Bytes32
  readonly payee: Address
  readonly specDigest: Bytes32
  /** Digest of the layer's weight commitments. */
  readonly weightsDigest: Bytes32
  readonly program: VerifierProgram
  /** Root over the values of the program's instructions. */
  readonly traceRoot: Bytes32
  readonly proof: Uint8Array
  /** Commitments to the first and, for some kinds, the second input. */
  readonly inputs: readonly Uint8Array[]
  readonly output: Uint8Array
  /** Shows that the last value is 1. */
  readonly verdictPath: readonly Uint8Array[]
}

/** The step that a game came down to, with all that it reads; `openStep` of `@tacit/proof/trace` makes them. */
export type OpenedStep = {
  readonly instruction: Uint8Array
  readonly instructionPath: readonly Uint8Array[]
  /** In the order of the instruction's fields: 32 bytes for a word, 64 for a point. */
  readonly operands: readonly { readonly value: Uint8Array; readonly path: readonly Uint8Array[] }[]
  /** Undefined for instructions that read no source. */
  readonly source:
    | {
        readonly length: number
        readonly root: Uint8Array
        readonly chunks: readonly { readonly data: Uint8Array; readonly siblings: readonly Uint8Array[] }[]
      }
    | undefined
}

/** What a player does: a `Move` of `@tacit/proof/trace` is one. */
export type DisputeMove =
  | { readonly move: 'reveal'; readonly nodes: readonly Uint8Array[] }
  | { readonly move: 'pick'; readonly child: number }
  | { readonly move: 'step'; readonly opening: OpenedStep }
  | { readonly move: 'timeout' }

const gameAbi = [...proofDisputesAbi, ...verifierMachineAbi.filter((entry) => entry.type === 'error')] as const

/**
 * Names the verifier program of each layer of the sender's model, null for a layer that cannot be disputed yet.
 * @throws TransactionRevertedError (`NotOwnerOfModel`, `WrongNetwork`, `InvalidProgram`, `ProgramExists`)
 */
export async function registerPrograms(
  sender: TransactionSender,
  registration: {
    readonly modelId: ModelId
    readonly commitments: WeightCommitments
    /** What `commitments.proof` is the digest of. */
    readonly network: ProofNetwork
    readonly programs: readonly (VerifierProgram | null)[]
  },
): Promise<TransactionReceipt> {
  const { modelId, commitments, network, programs } = registration
  const { artifact, q8, proof, fhe } = commitments
  const args = [
    modelId,
    { artifact, q8: q8 ?? zero, proof: proof ?? zero, fhe: fhe ?? zero },
    toHex(encodeProofNetwork(network)),
    programs.map((program) => program ?? { root: zero, steps: 0 }),
  ] as const
  return await sender.send(
    encodeCall("registering verifiers' programs", disputesOf(sender), { abi: proofDisputesAbi, functionName: 'registerPrograms', args }),
  )
}

/**
 * Asserts that a proof verifies, and puts up the poster's bond.
 * @throws TransactionRevertedError (`UnregisteredProgram`, `WrongVerdict`, `AssertionExists`)
 */
export async function assertProof(
  sender: TransactionSender,
  claim: ProofClaim,
): Promise<{ readonly assertionId: Bytes32; readonly subject: DisputeSubject; readonly receipt: TransactionReceipt }> {
  const disputes = disputesOf(sender)
  await ensureAllowance(sender, disputes, (await fetchDisputeTerms(sender.connection)).posterBondWei)
  const args = [toClaim(claim)] as const
  const asked = { address: disputes, abi: proofDisputesAbi, functionName: 'subjectOf', args } as const
  const found = await readContract(sender.connection, 'computing what a claim is about', asked)
  const subject = { words: found.words.map((word) => parseBytes32(word)), programRoot: parseBytes32(found.programRoot) }
  const receipt = await sender.send(encodeCall('asserting a proof', disputes, { abi: proofDisputesAbi, functionName: 'assertProof', args }))
  return { assertionId: deriveAssertionId(sender.connection, sender.address, subject, claim.traceRoot), subject, receipt }
}

/**
 * Begins a game against an assertion, and puts up the challenger's bond.
 * @throws TransactionRevertedError (`AssertionNotOpen`, `TooLateToChallenge`, `GameExists`)
 */
export async function challengeProof(sender: TransactionSender, assertionId: Bytes32): Promise<TransactionReceipt> {
  await ensureAllowance(sender, disputesOf(sender), (await fetchDisputeTerms(sender.connection)).challengerBondWei)
  return await sender.send(
    encodeCall('challenging a proof', disputesOf(sender), { abi: proofDisputesAbi, functionName: 'challenge', args: [assertionId] }),
  )
}

/**
 * Reveals the nodes of the poster's tree below the game's current one, left to right.
 * @throws TransactionRevertedError (`WrongNodes`, `WrongPhase`, `TooLateToMove`)
 */
export async function revealNodes(sender: TransactionSender, game: GameKey, nodes: readonly Uint8Array[]): Promise<TransactionReceipt> {
  const args = [game.assertionId, game.challenger, hexes(nodes)] as const
  return await sender.send(encodeCall('revealing nodes', disputesOf(sender), { abi: proofDisputesAbi, functionName: 'reveal', args }))
}

/**
 * Goes on below one of the revealed nodes.
 * @throws TransactionRevertedError (`WrongNodes`, `WrongChoice`, `WrongPhase`, `TooLateToMove`)
 */
export async function chooseNode(
  sender: TransactionSender,
  assertionId: Bytes32,
  { nodes, position }: { readonly nodes: readonly Uint8Array[]; readonly position: number },
): Promise<TransactionReceipt> {
  const args = [assertionId, hexes(nodes), BigInt(position)] as const
  return await sender.send(encodeCall('choosing a node', disputesOf(sender), { abi: proofDisputesAbi, functionName: 'choose', args }))
}

/**
 * Has the chain execute the instruction that a game came down to; that decides the game.
 * @throws TransactionRevertedError (`WrongSubject`, `WrongInstruction`, `IllFormedInstruction`, `WrongOperand`, `WrongOpening`)
 */
export async function executeStep(
  sender: TransactionSender,
  game: GameKey,
  { subject, step }: { readonly subject: DisputeSubject; readonly step: OpenedStep },
): Promise<TransactionReceipt> {
  const args = [game.assertionId, game.challenger, toSubject(subject), toStep(step)] as const
  return await sender.send(encodeCall('executing a step', disputesOf(sender), { abi: gameAbi, functionName: 'executeStep', args }))
}

/**
 * Ends a game whose next move is overdue.
 * @throws TransactionRevertedError (`StillTimeToMove`, `WrongPhase`)
 */
export async function claimTimeout(sender: TransactionSender, game: GameKey): Promise<TransactionReceipt> {
  const args = [game.assertionId, game.challenger] as const
  return await sender.send(
    encodeCall('ending a silent game', disputesOf(sender), { abi: proofDisputesAbi, functionName: 'claimTimeout', args }),
  )
}

/**
 * Makes one move in a game whose state is `fetchGameState`'s; the errors are those of the move.
 * @throws RangeError for a pick when nothing was revealed.
 */
export async function playMove(
  sender: TransactionSender,
  key: GameKey,
  { move, game, subject }: { readonly move: DisputeMove; readonly game: GameTurn; readonly subject: DisputeSubject },
): Promise<TransactionReceipt> {
  switch (move.move) {
    case 'reveal':
      return await revealNodes(sender, key, move.nodes)
    case 'pick':
      if (game.turn !== 'challenger') throw new RangeError('There is nothing to pick from.')
      return await chooseNode(sender, key.assertionId, { nodes: game.revealed, position: move.child })
    case 'step':
      return await executeStep(sender, key, { subject, step: move.opening })
    case 'timeout':
      return await claimTimeout(sender, key)
  }
}

/**
 * Gives a challenger its bond back after somebody else refuted the assertion.
 * @throws TransactionRevertedError (`AssertionNotOpen`, `WrongPhase`)
 */
export async function withdrawChallenge(sender: TransactionSender, game: GameKey): Promise<TransactionReceipt> {
  const args = [game.assertionId, game.challenger] as const
  return await sender.send(
    encodeCall("returning a challenger's bond", disputesOf(sender), { abi: proofDisputesAbi, functionName: 'withdrawChallenge', args }),
  )
}

/**
 * Makes an assertion final after its window, and returns the poster's bond.
 * @throws TransactionRevertedError (`NotDecided`, `AssertionNotOpen`)
 */
export async function finaliseProof(sender: TransactionSender, assertionId: Bytes32): Promise<TransactionReceipt> {
  return await sender.send(
    encodeCall('finalising an assertion', disputesOf(sender), { abi: proofDisputesAbi, functionName: 'finalise', args: [assertionId] }),
  )
}

/** The name that an assertion has, as the contract derives it. */
export function deriveAssertionId(chain: ChainConnection, poster: Address, subject: DisputeSubject, traceRoot: Bytes32): Bytes32 {
  const subjectHash = hashOf(encodeAbiParameters([{ type: 'bytes32[7]' }, { type: 'bytes32' }], [toWords(subject), subject.programRoot]))
  const types = [{ type: 'uint256' }, { type: 'address' }, { type: 'address' }, { type: 'bytes32' }, { type: 'bytes32' }] as const
  return hashOf(encodeAbiParameters(types, [chain.chainId, disputesAddress(chain), poster, subjectHash, traceRoot]))
}

const zero = parseBytes32(`0x${'00'.repeat(32)}`)

function disputesOf(sender: TransactionSender): Address {
  return disputesAddress(sender.connection)
}

function toClaim({ inputs, proof, output, verdictPath, ...rest }: ProofClaim) {
  const [input0 = new Uint8Array(), input1 = new Uint8Array()] = inputs
  return {
    ...rest,
    proof: toHex(proof),
    input0: toHex(input0),
    input1: toHex(input1),
    output: toHex(output),
    verdictPath: hexes(verdictPath),
  }
}

function toStep({ instruction, instructionPath, operands, source }: OpenedStep) {
  const { length, root, chunks } = source ?? { length: 0, root: new Uint8Array(32), chunks: [] }
  return {
    instruction: toHex(instruction),
    instructionPath: hexes(instructionPath),
    operands: operands.map(({ value, path }) => ({ ...coordinates(value), path: hexes(path) })),
    source: {
      length: BigInt(length),
      root: toHex(root),
      chunks: chunks.map(({ data, siblings }) => ({ data: toHex(data), siblings: hexes(siblings) })),
    },
  }
}

// A word is all x.
function coordinates(value: Uint8Array): { readonly x: bigint; readonly y: bigint } {
  return { x: BigInt(toHex(value.subarray(0, 32))), y: value.length === 32 ? 0n : BigInt(toHex(value.subarray(32, 64))) }
}

function hexes(values: readonly Uint8Array[]): readonly Hex[] {
  return values.map((value) => toHex(value))
}

function hashOf(encoded: Hex): Bytes32 {
  return keccak(parseHex(encoded, 'An encoding'))
}
