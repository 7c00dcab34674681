// Disputes about proofs of real layers: @tacit/proof proves them, runs their verifiers and plays.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  type Bytes32,
  type LayerSpec,
  type LayerStatement,
  layerSpecDigest,
  type ModelId,
  modelRoot,
  parseBytes32,
  toHex,
} from '@tacit/protocol'
import {
  commitActivation,
  commitWeights,
  type createProofEngine,
  networkDigest,
  type LayerWeights,
  type ProvableNetwork,
  proveLayer,
  registerLayer,
} from '@tacit/proof'
import {
  assertionOf,
  buildVerifier,
  challengerMove,
  hashPair,
  type HashTree,
  posterMove,
  type Program,
  type Trace,
  traceVerification,
  valueLeaf,
} from '@tacit/proof/trace'
import {
  assertProof,
  challengeProof,
  type DisputeSubject,
  fetchGameState,
  fetchPublishedProof,
  type GameKey,
  playMove,
  type ProofClaim,
  publishModel,
  registerPrograms,
} from '../../src/index.ts'
import type { EmbeddedChain } from '../../src/embedded/index.ts'
import type { Person } from './dispute.ts'
import { fundedSender, randomWord, token } from './local-chain.ts'

type Engine = Awaited<ReturnType<typeof createProofEngine>>

/** A layer with a run of it: `outputs` are computed by whoever knows how. */
export type LayerCase = {
  readonly spec: LayerSpec
  readonly weights: LayerWeights | undefined
  readonly inputs: readonly {
    readonly values: Int8Array
    readonly layout: { readonly groups: number; readonly length: number; readonly chunk: number }
  }[]
  readonly output: {
    readonly values: Int8Array
    readonly layout: { readonly groups: number; readonly length: number; readonly chunk: number }
  }
}

/** A published model with that one layer, and an honest proof of the run under a fresh request. */
export type ProvedCase = {
  readonly statement: LayerStatement
  readonly proof: Uint8Array
  readonly program: Program
  readonly network: ProvableNetwork
  readonly registerGas: bigint
}

const random = (n: number): Uint8Array => Uint8Array.from(randomBytes(n))

export async function proveCase(chain: EmbeddedChain, engine: Engine, { spec, weights, inputs, output }: LayerCase): Promise<ProvedCase> {
  const owner = await fundedSender(chain)
  const secret = weights === undefined ? undefined : await commitWeights(spec, weights, { engine, layerIndex: 0, seed: random(32) })
  const registration = secret?.registration ?? registerLayer(spec, { layerIndex: 0 })
  const network: ProvableNetwork = {
    inputCount: inputs.length,
    layers: [{ registration, inputs: inputs.map((_, k) => k) }],
    outputs: [inputs.length],
  }
  const commitments = { artifact: randomWord(), q8: null, proof: networkDigest(network), fhe: null }
  const { modelId } = await publishModel(owner, {
    ...{ commitmentsRoot: modelRoot(commitments), manifestHash: randomWord(), salt: randomWord(), pricePerStepWei: token },
    ...{ minStakeWei: 2_000n * token, engineClass: 1, ownerBps: 0, allowListed: false },
  })
  const program = buildVerifier(spec, { engine })
  const programs = [{ root: hex(program.root), steps: program.count }]
  const { gasUsed } = await registerPrograms(owner, { modelId, commitments, network, programs })
  const context = {
    ...{ chainId: chain.chainId.toString() as LayerStatement['context']['chainId'], registry: chain.deployment.contracts.modelRegistry },
    ...{ modelId, requestId: randomWord(), nonce: randomWord(), payee: owner.address, layerIndex: 0 },
  }
  const opened = await Promise.all(inputs.map(({ values, layout }) => commitActivation(values, layout, { engine, random })))
  const made = await commitActivation(output.values, output.layout, { engine, random })
  const statement = {
    spec,
    weights: registration.points,
    inputs: opened.map(({ commitment }) => commitment),
    output: made.commitment,
    context,
  }
  const proof = await proveLayer(
    statement,
    { inputs: opened, output: made, ...(secret === undefined ? {} : { weights: secret }) },
    { engine, random },
  )
  return { statement, proof, program, network, registerGas: gasUsed }
}

/** What a poster hands in; `tree` and `root` are the trace's unless it lies. */
export function claimOf(
  { statement, program }: ProvedCase,
  trace: Trace,
  lie?: { readonly root: Uint8Array; readonly verdictPath: readonly Uint8Array[] },
): ProofClaim {
  const { context, spec } = statement
  const [proof, weights, first, second, output] = trace.input.sources
  if (proof === undefined || weights === undefined || first === undefined || second === undefined || output === undefined) assert.fail()
  return {
    ...{
      modelId: context.modelId as ModelId,
      layerIndex: context.layerIndex,
      requestId: context.requestId,
      nonce: context.nonce,
      payee: context.payee,
    },
    ...{ specDigest: hex(layerSpecDigest(spec)), weightsDigest: hex(trace.input.words[3] ?? assert.fail()) },
    ...{ program: { root: hex(program.root), steps: program.count }, traceRoot: hex(lie?.root ?? trace.root) },
    ...{ proof, inputs: second.length === 0 ? [first] : [first, second], output },
    verdictPath: lie?.verdictPath ?? assertionOf(trace).verdictPath,
  }
}

/** The poster's tree with other leaves at some places. */
export class LyingTree {
  readonly #tree: HashTree
  readonly #changed = new Map<string, Uint8Array>()

  constructor(tree: HashTree, leaves: ReadonlyMap<number, Uint8Array>) {
    this.#tree = tree
    for (const [leaf, hash] of leaves) {
      this.#changed.set(`0/${leaf}`, hash)
      for (let level = 1, index = leaf >> 1; level <= tree.depth; level++, index >>= 1)
        this.#changed.set(`${level}/${index}`, hashPair(this.node(level - 1, 2 * index), this.node(level - 1, 2 * index + 1)))
    }
  }

  node(level: number, index: number): Uint8Array {
    return this.#changed.get(`${level}/${index}`) ?? this.#tree.node(level, index)
  }

  get root(): Uint8Array {
    return this.node(this.#tree.depth, 0)
  }

  path(leaf: number): readonly Uint8Array[] {
    return Array.from({ length: this.#tree.depth }, (_, level) => this.node(level, (leaf >>> level) ^ 1))
  }
}

/** A tree that agrees with the trace but for one value, and for the verdict. */
export function lieAbout(trace: Trace, node: number): LyingTree {
  const flipped = trace.value(node).map((byte, k) => (k === 31 ? byte ^ 1 : byte))
  const accepted = Uint8Array.from({ length: 32 }, (_, k) => (k === 31 ? 1 : 0))
  const last = trace.program.count - 1
  return new LyingTree(
    trace.tree,
    new Map([
      [node, valueLeaf(node, flipped)],
      [last, valueLeaf(last, accepted)],
    ]),
  )
}

export type Played = {
  readonly key: GameKey
  readonly subject: DisputeSubject
  readonly winner: 'poster' | 'challenger'
  readonly rounds: number
  readonly gas: Readonly<Record<string, bigint>>
}

/** A whole game by the players of @tacit/proof/trace, each with nothing but its own trace and what is on chain. */
export async function playGame(
  chain: EmbeddedChain,
  engine: Engine,
  proved: ProvedCase,
  game: {
    readonly poster: Person
    readonly challenger: Person
    readonly claim: ProofClaim
    readonly tree: Pick<HashTree, 'node'>
    readonly pick?: (trace: Trace) => typeof challengerMove
  },
): Promise<Played> {
  const { poster, challenger, claim, tree } = game
  const gas: Record<string, bigint> = {}
  const spend = (name: string, { gasUsed }: { readonly gasUsed: bigint }): void => {
    gas[name] = (gas[name] ?? 0n) + gasUsed
  }
  const { assertionId, subject, receipt } = await assertProof(poster, claim)
  spend('assert', receipt)
  const published = (await fetchPublishedProof(chain.connection, assertionId)) ?? assert.fail()
  const own = traceVerification(proved.statement, published.proof, { engine, program: proved.program })
  assert.deepEqual(own.input.words.map(hex), subject.words, 'chain and challenger agree on the words')
  const key = { assertionId, challenger: challenger.address }
  spend('challenge', await challengeProof(challenger, assertionId))
  const choose = game.pick?.(own) ?? challengerMove
  for (let rounds = 0; ; ) {
    const state = (await fetchGameState(chain.connection, key)) ?? assert.fail()
    if (state.game.turn === 'over') return { key, subject, winner: state.game.winner, rounds, gas }
    const isPoster = state.game.turn === 'poster'
    const move = isPoster ? posterMove({ tree }, state.game) : choose(own, state.game, state.reveals)
    if (move === undefined) assert.fail('nothing to do')
    if (isPoster) rounds++
    spend(move.move, await playMove(isPoster ? poster : challenger, key, { move, game: state.game, subject }))
  }
}

export function hex(bytes: Uint8Array): Bytes32 {
  return parseBytes32(toHex(bytes))
}
