// Where assertions about layer proofs and the games about them stand.
import { type Address, type Bytes32, type Hex, type ModelId, parseAddress, parseBytes32, parseHex, parseModelId } from '@tacit/protocol'
import type { ChainConnection } from '../connection.ts'
import { DeploymentMissingError } from '../errors.ts'
import { proofDisputesAbi } from '../generated/proof-disputes.ts'
import { readContract } from '../internal/read-contract.ts'

/** The money and the clock of every dispute on a network. */
export type DisputeTerms = {
  readonly posterBondWei: bigint
  readonly challengerBondWei: bigint
  /** The winner's part of the loser's bond, in hundredths of a percent; the rest is burnt. */
  readonly winnerBps: number
  /** How long one move may take. */
  readonly moveSeconds: number
}

/** What an assertion is about: the public words of the program, and the program. */
export type DisputeSubject = { readonly words: readonly Bytes32[]; readonly programRoot: Bytes32 }

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

/** The subtree that a game has come down to, `level` levels above the leaves. */
export type DisputedSubtree = { readonly level: number; readonly index: number; readonly hash: Uint8Array }

/** Who moves next, and about what: a `Game` of `@tacit/proof/trace`. */
export type GameTurn =
  | { readonly turn: 'poster'; readonly subtree: DisputedSubtree }
  | { readonly turn: 'challenger'; readonly subtree: DisputedSubtree; readonly revealed: readonly Uint8Array[] }
  | { readonly turn: 'step'; readonly subtree: DisputedSubtree }
  | { readonly turn: 'over'; readonly winner: 'poster' | 'challenger' }

/** A game as its players need it. */
export type GameState = {
  readonly game: GameTurn
  /** What the poster revealed, round by round. */
  readonly reveals: readonly { readonly subtree: DisputedSubtree; readonly nodes: readonly Uint8Array[] }[]
}

/** A game with all that was revealed in it, from its events; undefined when there is none. */
export async function fetchGameState(chain: ChainConnection, key: GameKey): Promise<GameState | undefined> {
  const [assertion, found] = await Promise.all([fetchAssertion(chain, key.assertionId), fetchGame(chain, key)])
  if (assertion === undefined || found === undefined) return undefined
  const asked = {
    address: disputesAddress(chain),
    abi: proofDisputesAbi,
    args: key,
    fromBlock: BigInt(chain.deployment.blockNumber),
  } as const
  const [revealed, chosen] = await Promise.all([
    chain.client.getContractEvents({ ...asked, eventName: 'NodesRevealed', strict: true }),
    chain.client.getContractEvents({ ...asked, eventName: 'NodeChosen', strict: true }),
  ])
  let subtree: DisputedSubtree = { level: Math.ceil(Math.log2(assertion.steps)), index: 0, hash: bytesOf(assertion.traceRoot) }
  const reveals: GameState['reveals'][number][] = []
  for (const [round, { args }] of revealed.entries()) {
    const nodes = args.nodes.map(bytesOf)
    reveals.push({ subtree, nodes })
    const choice = chosen[round]?.args
    if (choice !== undefined)
      subtree = { level: choice.height, index: choice.index, hash: nodes[choice.index % nodes.length] ?? subtree.hash }
  }
  return { game: turnOf(found, subtree, reveals.at(-1)?.nodes ?? []), reveals }
}

function turnOf({ phase }: ProofGame, subtree: DisputedSubtree, revealed: readonly Uint8Array[]): GameTurn {
  if (phase === 'reveal') return { turn: 'poster', subtree }
  if (phase === 'choose') return { turn: 'challenger', subtree, revealed }
  if (phase === 'step') return { turn: 'step', subtree }
  return { turn: 'over', winner: phase === 'lost' ? 'poster' : 'challenger' }
}

function bytesOf(word: Hex): Uint8Array {
  return parseHex(word, 'A node', 32)
}

/** Where the contract is. @throws DeploymentMissingError on networks that have none. */
export function disputesAddress(chain: ChainConnection): Address {
  const address = chain.deployment.contracts.proofDisputes
  if (address === undefined)
    throw new DeploymentMissingError({ contract: 'proofDisputes', address: 'no address: the network is older than disputes' })
  return address
}

type Words = readonly [Bytes32, Bytes32, Bytes32, Bytes32, Bytes32, Bytes32, Bytes32]

/** The words of a subject, counted. */
export function toWords({ words }: DisputeSubject): Words {
  if (words.length !== publicWordCount) throw new RangeError(`A subject has ${publicWordCount} words`)
  return words as unknown as Words // just counted
}

/** A subject as the contract takes it. */
export function toSubject(subject: DisputeSubject): { readonly words: Words; readonly programRoot: Bytes32 } {
  return { words: toWords(subject), programRoot: subject.programRoot }
}
