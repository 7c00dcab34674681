// A whole small world to make receipts in: a worker, a payer, and a state trie with the worker's registration.
import { createMerkleProof, createMPT, type MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { keccak_256 } from '@noble/hashes/sha3.js'
import {
  type Acceptance,
  type Address,
  type Bytes32,
  type Checkpoint,
  commitVoucher,
  createSigner,
  deriveJobId,
  deriveModelSlots,
  deriveSessionId,
  deriveStakeSlot,
  deriveWorkerSlot,
  documentId,
  type Evidence,
  encodeReceiptFile,
  type Hex,
  type InferenceRequest,
  type ModelProof,
  noScope,
  type Openings,
  parseAddress,
  parseBytes32,
  parseChannelId,
  parseHex,
  parseModelId,
  type Quote,
  type ReceiptCore,
  type ReceiptFile,
  type RegistrationProof,
  type Signed,
  type Signer,
  signDocument,
  toHex,
  uintToBytes32,
  utf8,
} from '@tacit/protocol'
import { frank } from '@tacit/session'

/** Deterministic bytes, one value per label. */
export function seeded(label: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(keccak_256(utf8(`tacit receipt fixture: ${label}`)))
}

export const worker: Signer = createSigner(seeded('worker key'))
export const payer: Signer = createSigner(seeded('payer key'))
export const stranger: Signer = createSigner(seeded('stranger key'))

export const chainId = 7_777_777_777n
export const contracts = {
  paymentPool: addressOfLabel('pool'),
  workerRegistry: addressOfLabel('workers'),
  modelRegistry: addressOfLabel('models'),
}
export const domain = { chainId, contract: contracts.paymentPool }
export const model = parseModelId(toHex(seeded('model')))
export const acceptedAt = 1_795_000_000

export function addressOfLabel(label: string): Address {
  return parseAddress(toHex(seeded(label).subarray(12)))
}

export function bytes32Of(label: string): Bytes32 {
  return parseBytes32(toHex(seeded(label)))
}

export type StateOptions = {
  readonly worker?: Address
  readonly model?: typeof model
  readonly registry?: Address
  /** 0 none, 1 active, 2 draining, 3 jailed. */
  readonly status?: number
  readonly stakedWei?: bigint
  readonly blockNumber?: bigint
  /** 0 none, 1 active, 2 retired. */
  readonly modelStatus?: number
  readonly modelRoot?: Bytes32
  readonly minStakeWei?: bigint
}

/** The state of a chain with the worker registered, and a header over it. */
export type ChainState = {
  readonly header: Uint8Array
  readonly blockHash: Bytes32
  readonly accounts: MerklePatriciaTrie
  readonly storage: MerklePatriciaTrie
  readonly modelStorage: MerklePatriciaTrie
}

export async function buildState(options: StateOptions = {}): Promise<ChainState> {
  const storage = await createMPT({ useKeyHashing: true })
  const workerSlot = BigInt(addressOfLabel('operator')) | (BigInt(options.status ?? 1) << 160n) | (1_794_000_000n << 168n) | (4n << 208n)
  await putWord(storage, deriveWorkerSlot(options.worker ?? worker.address), workerSlot)
  await putWord(storage, deriveStakeSlot(options.worker ?? worker.address, options.model ?? model), options.stakedWei ?? 10n ** 21n)
  for (let i = 0; i < 40; i++) await putWord(storage, bytes32Of(`filler slot ${i}`), BigInt(i + 1))
  const modelStorage = await createMPT({ useKeyHashing: true })
  const slots = deriveModelSlots(model)
  await putWord(modelStorage, slots.head, BigInt(addressOfLabel('owner')) | (BigInt(options.modelStatus ?? 1) << 160n))
  await putWord(modelStorage, slots.root, BigInt(options.modelRoot ?? bytes32Of('model root')))
  await putWord(modelStorage, slots.terms, 10_000n | ((options.minStakeWei ?? 10n ** 20n) << 128n))
  for (let i = 0; i < 20; i++) await putWord(modelStorage, bytes32Of(`filler model slot ${i}`), BigInt(i + 1))
  const accounts = await createMPT({ useKeyHashing: true })
  const code = seeded('code')
  for (let i = 0; i < 40; i++) {
    await accounts.put(seeded(`filler account ${i}`).subarray(12), RLP.encode([i + 1, 10n ** 18n, storage.EMPTY_TRIE_ROOT, code]))
  }
  await accounts.put(parseHex(options.registry ?? contracts.workerRegistry, 'x'), RLP.encode([1, 0, storage.root(), code]))
  await accounts.put(parseHex(contracts.modelRegistry, 'x'), RLP.encode([1, 0, modelStorage.root(), code]))
  const header = buildHeader(accounts.root(), options.blockNumber ?? 42n)
  return { header, blockHash: parseBytes32(toHex(keccak_256(header))), accounts, storage, modelStorage }
}

async function putWord(trie: MerklePatriciaTrie, slot: Hex, value: bigint): Promise<void> {
  if (value > 0n) await trie.put(parseHex(slot, 'x'), RLP.encode(value))
}

/** A header with the fields of a Prague block. */
export function buildHeader(stateRoot: Uint8Array, number: bigint): Uint8Array {
  const hash = (label: string) => seeded(label)
  const fields = [hash('parent'), hash('ommers'), seeded('coinbase').subarray(12), stateRoot, hash('transactions'), hash('receipts')]
  const rest = [new Uint8Array(256), 0, number, 30_000_000, 21_000, acceptedAt - 2, utf8('extra'), hash('mix'), new Uint8Array(8)]
  const later = [7, hash('withdrawals'), 0, 0, hash('beacon root'), hash('requests')]
  return RLP.encode([...fields, ...rest, ...later])
}

/** An EIP-1186 proof of the worker's registration in this state. */
export async function proveRegistration(state: ChainState, claim: Partial<RegistrationProof> = {}): Promise<RegistrationProof> {
  const subject = {
    worker: claim.worker ?? worker.address,
    model: claim.model ?? model,
    registry: claim.registry ?? contracts.workerRegistry,
  }
  return {
    type: 'tacit-registration/1',
    chainId: chainId.toString(),
    ...subject,
    blockHeader: toHex(state.header),
    accountProof: await prove(state.accounts, subject.registry),
    workerProof: await prove(state.storage, deriveWorkerSlot(subject.worker)),
    stakeProof: await prove(state.storage, deriveStakeSlot(subject.worker, subject.model)),
    ...claim,
  }
}

/** An EIP-1186 proof of the model's publication in this state. */
export async function proveModel(state: ChainState, claim: Partial<ModelProof> = {}): Promise<ModelProof> {
  const slots = deriveModelSlots(claim.model ?? model)
  const registry = claim.registry ?? contracts.modelRegistry
  return {
    type: 'tacit-publication/1',
    chainId: chainId.toString(),
    registry,
    model,
    blockHeader: toHex(state.header),
    accountProof: await prove(state.accounts, registry),
    headProof: await prove(state.modelStorage, slots.head),
    rootProof: await prove(state.modelStorage, slots.root),
    termsProof: await prove(state.modelStorage, slots.terms),
    ...claim,
  }
}

async function prove(trie: MerklePatriciaTrie, key: Hex): Promise<Hex[]> {
  return (await createMerkleProof(trie, parseHex(key, 'x'))).map((node) => toHex(node))
}

export const salt = seeded('session salt')
export const session = deriveSessionId({ chainId, contract: contracts.paymentPool, payer: payer.address, worker: worker.address, salt })
export const job = deriveJobId(session, 0)
export const scope = { session, job }
export const quoteScope = { session, job: noScope.job }
export const channelId = parseChannelId(toHex(seeded('channel')))
export const inputKey = seeded('input franking key')
export const outputKey = seeded('output franking key')
export const voucher = { salt: bytes32Of('voucher salt'), channelId, amount: 30_000n }

export const quote: Quote = {
  type: 'tacit-quote/1',
  worker: worker.address,
  model,
  privacy: 'sealed',
  verification: 'signed',
  streamMode: 'paced',
  stepPrice: '10000',
  stepTokens: 16,
  maxSteps: 8,
  readers: [worker.address],
  deadlineSeconds: 600,
  expiresAt: acceptedAt + 60,
}

export type World = {
  readonly state: ChainState
  readonly core: ReceiptCore
  readonly file: ReceiptFile
  readonly bytes: Uint8Array
  readonly checkpoint: Checkpoint
  readonly openings: Openings
}

export type WorldOptions = {
  readonly input?: Uint8Array
  readonly output?: Uint8Array
  /** Changes the core before it is signed. */
  readonly core?: Partial<ReceiptCore>
  readonly ordered?: Partial<ReceiptCore['ordered']>
  readonly quote?: Partial<Quote>
  readonly signer?: Signer
  readonly state?: StateOptions
}

/** A receipt with all its evidence, openings, and a checkpoint that fits. */
export async function buildWorld(options: WorldOptions = {}): Promise<World> {
  const signer = options.signer ?? worker
  const state = await buildState(options.state)
  const input = options.input ?? utf8('{"kind":"chat"}')
  const output = options.output ?? utf8('an answer')
  const inputCommitment = parseBytes32(frankStream('request', inputKey, input))
  const signedQuote = signDocument('Quote', { ...quote, ...options.quote }, quoteScope, domain, worker)
  const request: InferenceRequest = {
    type: 'tacit-request/1',
    session,
    job,
    payer: payer.address,
    channel: channelId,
    quote: documentId(signedQuote.document),
    inputCommitment,
    maxSteps: 8,
    deadline: acceptedAt + 600,
    salt: bytes32Of('request salt'),
  }
  const core: ReceiptCore = {
    type: 'tacit-receipt/1',
    chainId: chainId.toString(),
    contract: contracts.paymentPool,
    session,
    job,
    worker: worker.address,
    model,
    modelRoot: bytes32Of('model root'),
    ordered: {
      privacy: 'sealed',
      verification: 'signed',
      streamMode: 'paced',
      request: documentId(request),
      readers: [worker.address],
      deadline: request.deadline,
      ...options.ordered,
    },
    delivered: {
      inputCommitment,
      outputCommitment: parseBytes32(frankStream('response', outputKey, output)),
      traceRoot: bytes32Of('trace root'),
      inputUnits: 64,
      outputUnits: 64,
      profile: 'interpreter/1 q8',
      finishReason: 'stop',
    },
    payment: { voucherCommitment: commitVoucher(voucher), steps: 4 },
    acceptedAt,
    completedAt: acceptedAt + 3,
    ...options.core,
  }
  const receipt = signDocument(
    'Receipt',
    core,
    { session: core.session, job: core.job },
    { chainId: BigInt(core.chainId), contract: core.contract },
    signer,
  )
  const registration = await proveRegistration(state, {
    worker: options.state?.worker ?? worker.address,
    model: options.state?.model ?? model,
    registry: options.state?.registry ?? contracts.workerRegistry,
  })
  const receiptId = documentId(core)
  const file = withEvidence(receipt, [
    acceptanceItem(core, {}, signer),
    { kind: 'registration/1', receiptId, body: registration },
    { kind: 'model/1', receiptId, body: await proveModel(state) },
  ])
  return {
    state,
    core,
    file,
    bytes: encodeReceiptFile(file),
    checkpoint: {
      type: 'tacit-checkpoint/1',
      chainId: chainId.toString(),
      blockNumber: (options.state?.blockNumber ?? 42n).toString(),
      blockHash: state.blockHash,
      contracts,
    },
    openings: {
      type: 'tacit-openings/1',
      receiptId: documentId(core),
      input: { frankingKey: toHex(inputKey), plaintext: toHex(input) },
      output: { frankingKey: toHex(outputKey), plaintext: toHex(output) },
      voucher: { ...voucher, amount: voucher.amount.toString() },
      order: { request: signDocument('Request', request, scope, domain, payer), quote: signedQuote },
    },
  }
}

export function withEvidence(receipt: Signed<ReceiptCore>, evidence: readonly Evidence[]): ReceiptFile {
  return { type: 'tacit-receipt-file/1', receipt, evidence }
}

/** The worker's acceptance that fits this core. */
export function acceptanceItem(core: ReceiptCore, changes: Partial<Acceptance> = {}, signer: Signer = worker): Evidence {
  const acceptance: Acceptance = {
    type: 'tacit-acceptance/1',
    session: core.session,
    job: core.job,
    worker: core.worker,
    request: core.ordered.request,
    acceptedAt: core.acceptedAt,
    ...changes,
  }
  const body = signDocument(
    'Acceptance',
    acceptance,
    { session: acceptance.session, job: acceptance.job },
    { chainId: BigInt(core.chainId), contract: core.contract },
    signer,
  )
  return { kind: 'acceptance/1', receiptId: documentId(core), body }
}

function frankStream(direction: 'request' | 'response', frankingKey: Uint8Array, plaintext: Uint8Array): Hex {
  return frank({ plaintext, frankingKey, context: { sessionId: session, jobId: job, direction } })
}

/** Big-endian bytes of a number, for crafted slots. */
export const word = uintToBytes32
