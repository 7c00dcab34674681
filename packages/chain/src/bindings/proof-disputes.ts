// Assertions that layer proofs verify, and the games about them: docs/spec/verifier-trace.md. What to reveal, choose and execute is
// computed from traces, elsewhere; this file only says it to the chain.
import { encodeAbiParameters, type TransactionReceipt } from 'viem'
import {
  type Address,
  type Bytes32,
  type Hex,
  keccak,
  type ModelId,
  parseAddress,
  parseBytes32,
  parseHex,
  parseModelId,
  toHex,
  type WeightCommitments,
} from '@tacit/protocol'
import { encodeCall } from '../call.ts'
import type { ChainConnection } from '../connection.ts'
import { DeploymentMissingError } from '../errors.ts'
import { proofDisputesAbi } from '../generated/proof-disputes.ts'
import { verifierMachineAbi } from '../generated/verifier-machine.ts'
import { readContract } from '../internal/read-contract.ts'
import type { TransactionSender } from '../transaction-sender.ts'
import { ensureAllowance } from './token.ts'

/** The money and the clock of every dispute on a network. */
export type DisputeTerms = {
  readonly posterBondWei: bigint
  readonly challengerBondWei: bigint
  /** The winner's part of the loser's bond, in hundredths of a percent; the rest is burnt. */
  readonly winnerBps: number
  /** How long one move may take. */
  readonly moveSeconds: number
}

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
  readonly verdictPath: readonly Bytes32[]
}

/** What an assertion is about: the public words of the program, and the program. */
export type DisputeSubject = { readonly words: readonly Bytes32[]; readonly programRoot: Bytes32 }

/** The step that a game came down to, with all that it reads. */
export type OpenedStep = {
  readonly instruction: Uint8Array
  readonly instructionPath: readonly Bytes32[]
  /** In the order of the instruction's fields; a word has y = 0. */
  readonly operands: readonly { readonly x: bigint; readonly y: bigint; readonly path: readonly Bytes32[] }[]
  /** Undefined for instructions that read no source. */
  readonly source?: {
    readonly length: number
    readonly root: Bytes32
    readonly chunks: readonly { readonly data: Uint8Array; readonly siblings: readonly Bytes32[] }[]
  }
}

/** Whose game. */
export type GameKey = { readonly assertionId: Bytes32; readonly challenger: Address }

/** An assertion as it stands on chain. */
export type ProofAssertion = {
  readonly poster: Address
  /** The last second for a challenge, Unix time. */
  readonly challengeUntil: number
  readonly status: 'open' | 'refuted' | 'final'
  readonly liveGames: number
  readonly steps: number
  readonly traceRoot: Bytes32
  readonly subjectHash: Bytes32
}

/** A game as it stands on chain. */
export type ProofGame = {
  readonly phase: (typeof phases)[number]
  /** The last second for the next move, Unix time. */
  readonly moveUntil: number
  /** Levels between the current node and the leaves. */
  readonly height: number
  /** Position of the current node among those of its level. */
  readonly index: number
  readonly node: Bytes32
}

const statuses = ['open', 'refuted', 'final'] as const
const phases = ['reveal', 'choose', 'step', 'won', 'lost', 'withdrawn'] as const
const publicWordCount = 7
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
    /** What `commitments.proof` is the hash of. */
    readonly network: Uint8Array
    readonly programs: readonly (VerifierProgram | null)[]
  },
): Promise<TransactionReceipt> {
  const { modelId, commitments, network, programs } = registration
  const { artifact, q8, proof, fhe } = commitments
  const args = [
    modelId,
    { artifact, q8: q8 ?? zero, proof: proof ?? zero, fhe: fhe ?? zero },
    toHex(network),
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
export async function revealNodes(sender: TransactionSender, game: GameKey, nodes: readonly Bytes32[]): Promise<TransactionReceipt> {
  const args = [game.assertionId, game.challenger, nodes] as const
  return await sender.send(encodeCall('revealing nodes', disputesOf(sender), { abi: proofDisputesAbi, functionName: 'reveal', args }))
}

/**
 * Goes on below one of the revealed nodes.
 * @throws TransactionRevertedError (`WrongNodes`, `WrongChoice`, `WrongPhase`, `TooLateToMove`)
 */
export async function chooseNode(
  sender: TransactionSender,
  assertionId: Bytes32,
  { nodes, position }: { readonly nodes: readonly Bytes32[]; readonly position: number },
): Promise<TransactionReceipt> {
  const args = [assertionId, nodes, BigInt(position)] as const
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

/** Bonds and clock of this network's disputes. */
export async function fetchDisputeTerms(chain: ChainConnection): Promise<DisputeTerms> {
  const address = disputesAddress(chain)
  const read = (functionName: 'posterBond' | 'challengerBond' | 'winnerBps' | 'moveSeconds') =>
    readContract(chain, 'reading the terms of disputes', { address, abi: proofDisputesAbi, functionName })
  const [posterBondWei, challengerBondWei, winnerBps, moveSeconds] = await Promise.all([
    read('posterBond'),
    read('challengerBond'),
    read('winnerBps'),
    read('moveSeconds'),
  ])
  return { posterBondWei, challengerBondWei, winnerBps: Number(winnerBps), moveSeconds: Number(moveSeconds) }
}

/** The assertion, or undefined when nobody made it. */
export async function fetchAssertion(chain: ChainConnection, assertionId: Bytes32): Promise<ProofAssertion | undefined> {
  const asked = { address: disputesAddress(chain), abi: proofDisputesAbi, functionName: 'assertion', args: [assertionId] } as const
  const { status: code, ...found } = await readContract(chain, 'reading an assertion', asked)
  const status = statuses[code - 1]
  if (status === undefined) return undefined
  return {
    ...found,
    status,
    poster: parseAddress(found.poster.toLowerCase()),
    traceRoot: parseBytes32(found.traceRoot),
    subjectHash: parseBytes32(found.subjectHash),
  }
}

/** The game of a challenger, or undefined when it made none. */
export async function fetchGame(chain: ChainConnection, { assertionId, challenger }: GameKey): Promise<ProofGame | undefined> {
  const args = [assertionId, challenger] as const
  const asked = { address: disputesAddress(chain), abi: proofDisputesAbi, functionName: 'game', args } as const
  const { phase: code, moveUntil, height, index, node } = await readContract(chain, 'reading a game', asked)
  const phase = phases[code - 1]
  return phase === undefined ? undefined : { phase, moveUntil, height, index, node: parseBytes32(node) }
}

/** Whether an assertion about exactly this subject stands: nobody refuted it within its window. */
export async function fetchIsVerified(chain: ChainConnection, assertionId: Bytes32, subject: DisputeSubject): Promise<boolean> {
  const args = [assertionId, toSubject(subject)] as const
  const asked = { address: disputesAddress(chain), abi: proofDisputesAbi, functionName: 'isVerified', args } as const
  return await readContract(chain, 'reading a verdict', asked)
}

/** What everybody needs to check an assertion: its subject, and the bytes that it published. */
export type PublishedProof = {
  readonly poster: Address
  readonly modelId: ModelId
  readonly layerIndex: number
  readonly subject: DisputeSubject
  readonly traceRoot: Bytes32
  readonly steps: number
  readonly proof: Uint8Array
  readonly inputs: readonly Uint8Array[]
  readonly output: Uint8Array
}

/** The bytes of an assertion, from the events of its transaction; undefined when there is none. */
export async function fetchPublishedProof(chain: ChainConnection, assertionId: Bytes32): Promise<PublishedProof | undefined> {
  const asked = {
    address: disputesAddress(chain),
    abi: proofDisputesAbi,
    args: { assertionId },
    fromBlock: BigInt(chain.deployment.blockNumber),
  } as const
  const [[asserted], [published]] = await Promise.all([
    chain.client.getContractEvents({ ...asked, eventName: 'ProofAsserted', strict: true }),
    chain.client.getContractEvents({ ...asked, eventName: 'ProofPublished', strict: true }),
  ])
  if (asserted === undefined || published === undefined) return undefined
  const { poster, modelId, layerIndex, subject, traceRoot, steps } = asserted.args
  const [proof, first, second, output] = [published.args.proof, published.args.input0, published.args.input1, published.args.output].map(
    (bytes) => parseHex(bytes, 'An event'),
  )
  return {
    poster: parseAddress(poster.toLowerCase()),
    modelId: parseModelId(modelId),
    layerIndex,
    subject: { words: subject.words.map((word) => parseBytes32(word)), programRoot: parseBytes32(subject.programRoot) },
    traceRoot: parseBytes32(traceRoot),
    steps,
    proof: proof ?? new Uint8Array(),
    inputs: [first, second].filter((bytes) => bytes !== undefined && bytes.length > 0) as Uint8Array[], // just checked
    output: output ?? new Uint8Array(),
  }
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

function disputesAddress(chain: ChainConnection): Address {
  const address = chain.deployment.contracts.proofDisputes
  if (address === undefined)
    throw new DeploymentMissingError({ contract: 'proofDisputes', address: 'no address: the network is older than disputes' })
  return address
}

type Words = readonly [Bytes32, Bytes32, Bytes32, Bytes32, Bytes32, Bytes32, Bytes32]

function toWords({ words }: DisputeSubject): Words {
  if (words.length !== publicWordCount) throw new RangeError(`A subject has ${publicWordCount} words`)
  return words as unknown as Words // just counted
}

function toSubject(subject: DisputeSubject): { readonly words: Words; readonly programRoot: Bytes32 } {
  return { words: toWords(subject), programRoot: subject.programRoot }
}

function toClaim({ inputs, proof, output, ...rest }: ProofClaim) {
  const [input0 = new Uint8Array(), input1 = new Uint8Array()] = inputs
  return { ...rest, proof: toHex(proof), input0: toHex(input0), input1: toHex(input1), output: toHex(output) }
}

function toStep({ instruction, source, ...rest }: OpenedStep) {
  const opened = source ?? { length: 0, root: zero, chunks: [] }
  const chunks = opened.chunks.map(({ data, siblings }) => ({ data: toHex(data), siblings }))
  return { ...rest, instruction: toHex(instruction), source: { length: BigInt(opened.length), root: opened.root, chunks } }
}

function hashOf(encoded: Hex): Bytes32 {
  return keccak(parseHex(encoded, 'An encoding'))
}
