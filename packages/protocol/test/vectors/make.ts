// Writes documents.json: one of every signed document, with its canonical form, id, digest and signature.
//   node --conditions=tacit-source packages/protocol/test/vectors/make.ts
// The keys are made of fixed bytes and are worth nothing. documents.test.ts recomputes every value, digests also with viem.
import { writeFileSync } from 'node:fs'
import {
  type Acceptance,
  type CheckerStatement,
  canonicalJson,
  commitVoucher,
  createSigner,
  createVoucherDigest,
  type DirectoryRecord,
  type DocumentKind,
  type DocumentScope,
  deriveChannelId,
  deriveJobId,
  deriveSessionId,
  documentDigest,
  documentId,
  type InferenceRequest,
  type Json,
  noScope,
  type Prekey,
  parseAddress,
  parseBytes32,
  parseModelId,
  type Quote,
  type ReceiptCore,
  type Recommendation,
  rankCandidates,
  type Signer,
  type SolverAnswer,
  type StepReceipt,
  signDocument,
  toHex,
} from '@tacit/protocol'

const filled = (byte: number, length = 32) => new Uint8Array(length).fill(byte)
const word = (byte: number) => parseBytes32(toHex(filled(byte)))
const workerKey = filled(0x11)
const payerKey = filled(0x22)
const dispatcherKey = filled(0x33)
const worker = createSigner(workerKey)
const payer = createSigner(payerKey)
const dispatcher = createSigner(dispatcherKey)
const contract = parseAddress(toHex(filled(0xc0, 20)))
const domain = { chainId: 4_294_967_297n, contract }
const model = parseModelId(word(0x70))
const session = deriveSessionId({ ...domain, payer: payer.address, worker: worker.address, salt: filled(0x5a) })
const job = deriveJobId(session, 0)
const channel = deriveChannelId({ ...domain, payer: payer.address, payee: worker.address, model, salt: word(0xca) })
const scope: DocumentScope = { session, job }

const prekey: Prekey = {
  type: 'tacit-prekey/1',
  worker: worker.address,
  suite: 'x25519',
  publicKey: word(0x25),
  notBefore: 1_795_000_000,
  notAfter: 1_795_086_400,
}
const quote: Quote = {
  type: 'tacit-quote/1',
  worker: worker.address,
  model,
  privacy: 'sealed',
  verification: 'signed',
  streamMode: 'paced',
  stepPrice: '250000000000000',
  stepTokens: 16,
  maxSteps: 8,
  readers: [worker.address],
  deadlineSeconds: 600,
  expiresAt: 1_795_000_060,
}
const request: InferenceRequest = {
  type: 'tacit-request/1',
  session,
  job,
  payer: payer.address,
  channel,
  quote: documentId(quote),
  inputCommitment: word(0x1c),
  maxSteps: 4,
  deadline: 1_795_000_600,
  salt: word(0x5b),
}
const acceptance: Acceptance = {
  type: 'tacit-acceptance/1',
  session,
  job,
  worker: worker.address,
  request: documentId(request),
  acceptedAt: 1_795_000_002,
}
const step: StepReceipt = {
  type: 'tacit-step/1',
  session,
  job,
  step: 1,
  outputTokens: 16,
  outputHash: word(0x0f),
  voucherAmount: '250000000000000',
}
const voucherOpening = { salt: word(0x5c), channelId: channel, amount: 750_000_000_000_000n }
const receipt: ReceiptCore = {
  type: 'tacit-receipt/1',
  chainId: domain.chainId.toString(),
  contract,
  session,
  job,
  worker: worker.address,
  model,
  modelRoot: word(0x71),
  ordered: {
    privacy: 'sealed',
    verification: 'signed',
    streamMode: 'paced',
    request: documentId(request),
    readers: [worker.address],
    deadline: 1_795_000_600,
  },
  delivered: {
    inputCommitment: word(0x1c),
    outputCommitment: word(0x0c),
    traceRoot: null,
    inputUnits: 32,
    outputUnits: 64,
    profile: 'llama.cpp b6900 cpu "greedy" Übung €', // escapes and non-ASCII belong into a vector
    finishReason: 'stop',
  },
  payment: { voucherCommitment: commitVoucher(voucherOpening), steps: 4 },
  acceptedAt: 1_795_000_002,
  completedAt: 1_795_000_005,
}
const candidates = [
  { worker: worker.address, stake: '1000000000000000000000', capacity: 4, healthMilli: 1000, busy: 1 },
  { worker: payer.address, stake: '4000000000000000000000', capacity: 2, healthMilli: 900, busy: 0 },
  { worker: contract, stake: '9000000000000000000000', capacity: 8, healthMilli: 499, busy: 0 },
]
const recommendation: Recommendation = {
  type: 'tacit-recommendation/1',
  chainId: domain.chainId.toString(),
  session,
  model,
  client: word(0xcc),
  block: '42',
  candidates,
  ranking: rankCandidates(candidates, session).map((candidate) => candidate.worker),
  skipped: [{ worker: dispatcher.address, reason: 'draining' }],
  expiresAt: 1_795_000_060,
}

const directoryRecord: DirectoryRecord = {
  type: 'tacit-directory/1',
  solver: worker.address,
  parameterSet: 'route-1',
  root: word(0xd0),
  count: 2_049,
  dimensions: 384,
  referenceSeed: word(0xd1),
  hintHashes: [word(0xd2), word(0xd3)],
}
const solverAnswer: SolverAnswer = {
  type: 'tacit-solver-answer/1',
  solver: worker.address,
  record: documentId(directoryRecord),
  query: word(0xd4),
  answer: word(0xd5),
}
const checkerStatement: CheckerStatement = {
  type: 'tacit-check-vector/1',
  checker: dispatcher.address,
  root: word(0xd0),
  seed: word(0xd6),
  vector: word(0xd7),
}

function vector(kind: DocumentKind, document: Json, signer: Signer, documentScope: DocumentScope) {
  return {
    kind,
    signer: signer.address,
    scope: documentScope,
    document,
    canonical: canonicalJson(document),
    id: documentId(document),
    digest: toHex(documentDigest(kind, document, documentScope, domain)),
    signature: signDocument(kind, document, documentScope, domain, signer).signature,
  }
}

const voucher = { channelId: channel, maxClaimableAmount: voucherOpening.amount }
const voucherDigest = createVoucherDigest(domain)(voucher)
const vectors = {
  origin: 'Written by packages/protocol/test/vectors/make.ts; the digests are checked against viem, the canonical form against RFC 8785 vectors.',
  domain: { chainId: domain.chainId.toString(), contract },
  keys: { worker: toHex(workerKey), payer: toHex(payerKey), dispatcher: toHex(dispatcherKey) },
  identifiers: { sessionSalt: word(0x5a), session, jobIndex: 0, job, channelSalt: word(0xca), channel, payer: payer.address, worker: worker.address, model },
  documents: [
    vector('Prekey', prekey, worker, noScope),
    vector('Recommendation', recommendation, dispatcher, noScope),
    vector('Quote', quote, worker, { session, job: noScope.job }),
    vector('Request', request, payer, scope),
    vector('Acceptance', acceptance, worker, scope),
    vector('StepReceipt', step, worker, scope),
    vector('Receipt', receipt, worker, scope),
    vector('DirectoryRecord', directoryRecord, worker, noScope),
    vector('SolverAnswer', solverAnswer, worker, noScope),
    vector('CheckVector', checkerStatement, dispatcher, noScope),
  ],
  voucher: { channelId: channel, maxClaimableAmount: voucher.maxClaimableAmount.toString(), digest: toHex(voucherDigest), signature: payer.sign(voucherDigest) },
  voucherCommitment: { salt: voucherOpening.salt, channelId: channel, amount: voucherOpening.amount.toString(), commitment: commitVoucher(voucherOpening) },
}
writeFileSync(new URL('./documents.json', import.meta.url), `${JSON.stringify(vectors, null, 2)}\n`)
