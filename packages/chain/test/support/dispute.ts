// A model with one layer whose verifier is a small program that uses every instruction, and people who argue about it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  type Address,
  type Bytes32,
  concatBytes,
  keccak,
  type ModelId,
  modelRoot,
  parseBytes32,
  type Signer,
  toHex,
  utf8,
} from '@tacit/protocol'
import {
  assertProof,
  challengeProof,
  chooseNode,
  createTransactionSender,
  encodeProofNetwork,
  type ProofNetwork,
  type DisputeSubject,
  fetchGame,
  fetchGameState,
  type GameKey,
  type OpenedStep,
  type ProofClaim,
  publishModel,
  registerPrograms,
  revealNodes,
  type TransactionSender,
  transferTokens,
  type VerifierProgram,
} from '../../src/index.ts'
import type { EmbeddedChain } from '../../src/embedded/index.ts'
import { fundedSender, randomWord, token } from './local-chain.ts'
import { firstDifference, nodesBelow, pathOf, posterTrace, type TraceNodes } from './trace-nodes.ts'
import {
  bytes32,
  identity,
  type Instruction,
  instructionLeaf,
  multipleOfGenerator,
  type Op,
  openStep,
  order,
  rootOf,
  runProgram,
  sourceDigest,
  type Surroundings,
  type Tree,
  toBytes,
  treeOf,
  type Value,
  valueLeaf,
  word,
} from './test-machine.ts'

export type Person = TransactionSender & { readonly signer: Signer }

const goodWord = BigInt(keccak(utf8('what a good proof of the test begins with')))
const constant = (immediate: Value): Instruction => ({
  op: immediate.kind === 'word' ? 'CONST_WORD' : 'CONST_POINT',
  fields: [],
  immediate,
})
const at = (op: Op, ...fields: number[]): Instruction => ({ op, fields })

/** Accepts a proof of 1,500 bytes that begins with the right word and goes on with a point. */
export const program: readonly Instruction[] = [
  constant(word(1n)),
  at('PUBLIC', 0),
  at('PUBLIC', 1),
  at('LENGTH', 0),
  constant(word(1_500n)),
  at('EQ', 0, 3, 4),
  at('WORD', 0, 0),
  constant(word(goodWord)),
  at('EQ', 5, 6, 7),
  at('POINT', 0, 32),
  at('VALID', 8, 9),
  at('CHUNK', 0, 0, 1_024),
  at('CHUNK', 0, 1_024, 476),
  at('HASH2', 11, 12),
  at('HASH3', 1, 2, 13),
  at('HASH2', 14, 0),
  at('REDUCE', 14, 15),
  at('INV', 16),
  at('MUL', 16, 17),
  at('ADD', 18, 0),
  at('SUB', 19, 0),
  at('FMA', 16, 17, 20),
  constant(multipleOfGenerator(1n)),
  constant(identity),
  at('MULADD', 23, 16, 22),
  constant(multipleOfGenerator(order - 1n)),
  at('MULADD', 24, 16, 25),
  at('IDENTITY', 10, 26),
  at('CANONICAL', 27, 16),
  at('NONZERO', 28, 21),
  at('ADD', 21, 16),
  at('MUL', 30, 30),
  at('ADD', 31, 30),
  at('EQ', 29, 20, 18),
]
const instructions = treeOf(program.map((instruction, k) => instructionLeaf(k, instruction)))
export const registered: VerifierProgram = { root: rootOf(instructions), steps: program.length }

export function makeProof(isGood: boolean): Uint8Array {
  const first = multipleOfGenerator(BigInt(toHex(randomBytes(16))))
  if (first.kind !== 'point') assert.fail()
  const encoded = concatBytes(Uint8Array.of(2 + Number(first.y % 2n)), bytes32(first.x))
  return concatBytes(bytes32(isGood ? goodWord : goodWord + 1n), encoded, randomBytes(1_500 - 65))
}

export type Layer = { readonly owner: Person; readonly modelId: ModelId; readonly specDigest: Bytes32; readonly weights: Uint8Array }

/** A published model of one layer; its verifier's program is registered unless the test wants to do that itself. */
export async function publishLayer(chain: EmbeddedChain): Promise<Layer & { readonly network: ProofNetwork; readonly artifact: Bytes32 }> {
  const owner = await fundedSender(chain)
  const weights = Uint8Array.from(randomBytes(3_300))
  const specDigest = randomWord()
  const layers = [{ registration: { digest: registrationDigest(0, specDigest, weights) }, inputs: [0] }]
  const network: ProofNetwork = { inputCount: 1, layers, outputs: [1] }
  const commitments = { artifact: randomWord(), q8: null, proof: keccak(encodeProofNetwork(network)), fhe: null }
  const { modelId } = await publishModel(owner, {
    ...{ commitmentsRoot: modelRoot(commitments), manifestHash: randomWord(), salt: randomWord(), pricePerStepWei: token },
    ...{ minStakeWei: 2_000n * token, engineClass: 1, ownerBps: 0, allowListed: false },
  })
  return { owner, modelId, specDigest, weights, network, artifact: commitments.artifact }
}

export async function publishDisputableLayer(chain: EmbeddedChain): Promise<Layer> {
  const { network, artifact, ...layer } = await publishLayer(chain)
  const commitments = { artifact, q8: null, proof: keccak(encodeProofNetwork(network)), fhe: null }
  await registerPrograms(layer.owner, { modelId: layer.modelId, commitments, network, programs: [registered] })
  return layer
}

/** Somebody with a million tokens: enough to lose many bonds. */
export async function richSender(chain: EmbeddedChain): Promise<Person> {
  const person = await fundedSender(chain)
  await transferTokens(createTransactionSender(chain.connection, chain.keys.owner), { to: person.address, amountWei: 1_000_000n * token })
  return person
}

/** docs/spec/verifier-trace.md, section 2. */
export function registrationDigest(layerIndex: number, specDigest: Bytes32, weights: Uint8Array): Bytes32 {
  const tag = (name: string): Uint8Array => concatBytes(utf8(name), new Uint8Array(32 - name.length))
  let state = keccak(utf8('TACIT-LAYER-v1/secp256k1/registration'))
  state = keccak(toBytes(state), tag('index'), bytes32(BigInt(layerIndex)))
  state = keccak(toBytes(state), tag('spec'), toBytes(specDigest))
  return keccak(toBytes(state), tag('points'), toBytes(sourceDigest(weights)))
}

export type Trace = { readonly values: readonly Value[]; readonly tree: Tree; readonly nodes: TraceNodes }

export function traceOf(surroundings: Surroundings, lies: ReadonlyMap<number, Value> = new Map()): Trace {
  const values = runProgram(program, surroundings, lies)
  const tree = treeOf(values.map((value, k) => valueLeaf(k, value)))
  return { values, tree, nodes: nodesOf(tree) }
}

export function nodesOf(tree: Tree): TraceNodes {
  return { depth: tree.length - 1, nodeAt: (height, index) => tree[height]?.[index] ?? assert.fail(`no node ${height}/${index}`) }
}

/** A value that is not this one. */
export function otherThan(value: Value): Value {
  if (value.kind === 'word') return word(value.word === 0n ? 1n : value.word - 1n)
  return value.x === 0n ? multipleOfGenerator(5n) : identity
}

export type Posted = {
  readonly assertionId: Bytes32
  readonly subject: DisputeSubject
  readonly claim: ProofClaim
  readonly surroundings: Surroundings
  /** What the poster committed to. */
  readonly trace: Trace
}

/** What a claim about the layer looks like; `lies` replace values, and the verdict is 1 whatever follows. */
export function claimOf(
  chain: EmbeddedChain,
  layer: Layer,
  { proof, lies = new Map() }: { readonly proof: Uint8Array; readonly lies?: ReadonlyMap<number, Value> },
): Pick<Posted, 'claim' | 'surroundings' | 'trace'> {
  const request = { requestId: randomWord(), nonce: randomWord(), payee: layer.owner.address }
  const sources = [proof, layer.weights, Uint8Array.from(randomBytes(33)), new Uint8Array(), Uint8Array.from(randomBytes(66))]
  const [, , input, , output] = sources
  const context = keccak(
    utf8('tacit/layer-context/v1'),
    bytes32(chain.chainId),
    bytes32(BigInt(chain.deployment.contracts.modelRegistry)),
    ...[layer.modelId, request.requestId, request.nonce].map((value) => bytes32(BigInt(value))),
    bytes32(BigInt(request.payee)),
    bytes32(0n),
  )
  const words = [context, registrationDigest(0, layer.specDigest, layer.weights), ...sources.map(sourceDigest)]
  const surroundings = { words, sources }
  const trace = traceOf(surroundings, new Map([...lies, [program.length - 1, word(1n)]]))
  const claim: ProofClaim = {
    ...request,
    ...{ modelId: layer.modelId, layerIndex: 0, specDigest: layer.specDigest, weightsDigest: sourceDigest(layer.weights) },
    ...{ program: registered, traceRoot: rootOf(trace.tree), verdictPath: pathOf(trace.nodes, program.length - 1).map(toBytes) },
    ...{ proof, inputs: [input ?? assert.fail()], output: output ?? assert.fail() },
  }
  return { claim, surroundings, trace }
}

export async function post(
  chain: EmbeddedChain,
  poster: Person,
  layer: Layer,
  options: { readonly proof: Uint8Array; readonly lies?: ReadonlyMap<number, Value> },
): Promise<Posted> {
  const made = claimOf(chain, layer, options)
  const { assertionId, subject } = await assertProof(poster, made.claim)
  return { ...made, assertionId, subject }
}

/** Plays rounds of reveal and choice until an instruction is left, or until the poster has nothing to reveal. */
export async function playDown(
  [poster, challenger]: readonly [Person, Person],
  { assertionId, trace }: Posted,
  choose: (round: { readonly height: number; readonly index: number; readonly nodes: readonly Bytes32[] }) => number,
): Promise<GameKey> {
  const key: GameKey = { assertionId, challenger: challenger.address }
  await challengeProof(challenger, assertionId)
  for (;;) {
    const game = (await fetchGame(poster.connection, key)) ?? assert.fail()
    if (game.phase !== 'reveal') return key
    const nodes = nodesBelow(trace.nodes, game)
    await revealNodes(poster, key, nodes.map(toBytes))
    await chooseNode(challenger, assertionId, { nodes: nodes.map(toBytes), position: choose({ ...game, nodes }) })
  }
}

/** An honest challenger's choice, from a trace of its own. */
export function honestChoice(own: Trace): Parameters<typeof playDown>[2] {
  return (round) => firstDifference(own.nodes, round) ?? assert.fail('nothing differs')
}

/** Chooses its way down to one leaf, whatever stands there. */
export function stubbornChoice(leaf: number): Parameters<typeof playDown>[2] {
  return ({ height, index, nodes }) => Math.floor(leaf / 2 ** (height - Math.log2(nodes.length))) - index * nodes.length
}

/** What a challenger opens, knowing its own trace, what was revealed and the published bytes, and nothing else. */
export async function openAsChallenger(
  chain: EmbeddedChain,
  key: GameKey,
  { own, surroundings }: { readonly own: Trace; readonly surroundings: Surroundings },
): Promise<OpenedStep> {
  const { game, reveals } = (await fetchGameState(chain.connection, key)) ?? assert.fail()
  if (game.turn !== 'step') assert.fail(game.turn)
  const rows = reveals.map(({ subtree, nodes }) => ({
    height: subtree.level,
    index: subtree.index,
    nodes: nodes.map((node) => parseBytes32(toHex(node))),
  }))
  const seen = posterTrace(own.nodes, rows)
  return openStep(game.subtree.index, program, { values: own.values, pathTo: (leaf) => pathOf(seen, leaf) }, surroundings)
}

export function openAsPoster({ trace, surroundings }: Posted, index: number): OpenedStep {
  return openStep(index, program, { values: trace.values, pathTo: (leaf) => pathOf(trace.nodes, leaf) }, surroundings)
}

/** What the poster has to reveal now. */
export async function owedNodes(chain: EmbeddedChain, key: GameKey, nodes: TraceNodes): Promise<readonly Uint8Array[]> {
  return nodesBelow(nodes, (await fetchGame(chain.connection, key)) ?? assert.fail()).map(toBytes)
}

export function gameOf(posted: Posted, challenger: Address): GameKey {
  return { assertionId: posted.assertionId, challenger }
}

export const randomRoot = (): Bytes32 => parseBytes32(toHex(randomBytes(32)))
