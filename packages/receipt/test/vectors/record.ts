// Writes recorded-chain.json: a receipt whose evidence comes from a real node with the real contracts, recorded once.
//   node --conditions=tacit-source packages/receipt/test/vectors/record.ts
import { writeFileSync } from 'node:fs'
import { drainWorker, fetchCheckpoint, fetchModel, fetchModelProof, fetchRegistrationProof, requestUnstake } from '@tacit/chain'
import {
  type Acceptance,
  commitVoucher,
  deriveJobId,
  deriveSessionId,
  documentId,
  type Evidence,
  type ReceiptCore,
  type ReceiptFile,
  signDocument,
} from '@tacit/protocol'
import { randomWord, startTemporaryChain, token } from '../../../chain/test/support/local-chain.ts'
import { openMarket } from '../../../chain/test/support/market.ts'

await using chain = await startTemporaryChain()
const { connection } = chain
const { worker, client, modelId } = await openMarket(chain)
const domain = { chainId: connection.chainId, contract: chain.deployment.contracts.paymentPool }
const session = deriveSessionId({ ...domain, payer: client.address, worker: worker.address, salt: crypto.getRandomValues(new Uint8Array(32)) })
const scope = { session, job: deriveJobId(session, 0) }
const published = await fetchModel(connection, modelId)
if (published === undefined) throw new Error('The model was not published.')
const seconds = Math.floor(Date.now() / 1000)
const core: ReceiptCore = {
  type: 'tacit-receipt/1',
  chainId: domain.chainId.toString(),
  contract: domain.contract,
  ...scope,
  worker: worker.address,
  model: modelId,
  modelRoot: published.commitmentsRoot,
  ordered: {
    privacy: 'sealed',
    verification: 'signed',
    streamMode: 'paced',
    request: randomWord(),
    readers: [worker.address],
    deadline: seconds + 600,
  },
  delivered: {
    inputCommitment: randomWord(),
    outputCommitment: randomWord(),
    traceRoot: null,
    inputUnits: 64,
    outputUnits: 1,
    profile: 'recorded',
    finishReason: 'complete',
  },
  payment: { voucherCommitment: commitVoucher({ salt: randomWord(), channelId: randomWord() as never, amount: token }), steps: 1 },
  acceptedAt: seconds,
  completedAt: seconds + 1,
}
const acceptance: Acceptance = { type: 'tacit-acceptance/1', ...scope, worker: worker.address, request: core.ordered.request, acceptedAt: seconds }
const receiptId = documentId(core)

async function record(): Promise<{ readonly file: ReceiptFile; readonly checkpoint: unknown }> {
  const checkpoint = await fetchCheckpoint(connection)
  const blockNumber = BigInt(checkpoint.blockNumber)
  const evidence: Evidence[] = [
    { kind: 'acceptance/1', receiptId, body: signDocument('Acceptance', acceptance, scope, domain, worker.signer) },
    {
      kind: 'registration/1',
      receiptId,
      body: await fetchRegistrationProof(connection, { worker: worker.address, model: modelId, blockNumber }),
    },
    { kind: 'model/1', receiptId, body: await fetchModelProof(connection, { model: modelId, blockNumber }) },
  ]
  const file: ReceiptFile = { type: 'tacit-receipt-file/1', receipt: signDocument('Receipt', core, scope, domain, worker.signer), evidence }
  return { file, checkpoint }
}

const registered = await record()
await drainWorker(worker, worker.address)
const draining = await record()
await requestUnstake(worker, { worker: worker.address, modelId, amountWei: 3_000n * token })
const unstaked = await record()
const stranger = await fetchRegistrationProof(connection, { worker: client.address, model: modelId })
const vectors = {
  origin: 'anvil 1.7.1, hardfork osaka, with the contracts of this repository; recorded by record.ts beside this file. Keys were random and are gone.',
  registered,
  draining,
  unstaked,
  stranger,
}
writeFileSync(new URL('./recorded-chain.json', import.meta.url), `${JSON.stringify(vectors, null, 1)}\n`)
