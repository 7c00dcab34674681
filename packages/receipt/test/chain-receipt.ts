// A receipt of a worker on a real chain, with evidence from its node.
import { type ChainConnection, fetchCheckpoint, fetchModel, fetchModelProof, fetchRegistrationProof } from '@tacit/chain'
import {
  type Acceptance,
  type Checkpoint,
  commitVoucher,
  deriveJobId,
  deriveSessionId,
  documentId,
  type Evidence,
  type ModelId,
  parseBytes32,
  parseChannelId,
  type ReceiptCore,
  type ReceiptFile,
  type Signer,
  signDocument,
  toHex,
} from '@tacit/protocol'

export type ChainReceipt = { readonly file: ReceiptFile; readonly checkpoint: Checkpoint }

/** Who served what to whom. */
export type ServedJob = { readonly worker: Signer; readonly payer: Signer; readonly model: ModelId; readonly seconds: number }

function randomWord() {
  return parseBytes32(toHex(crypto.getRandomValues(new Uint8Array(32))))
}

/** Makes the receipt; every call of `prove` adds evidence from the newest block of the chain. */
export async function createChainReceipt(
  connection: ChainConnection,
  { worker, payer, model, seconds }: ServedJob,
): Promise<{ readonly prove: () => Promise<ChainReceipt> }> {
  const domain = { chainId: connection.chainId, contract: connection.deployment.contracts.paymentPool }
  const salt = crypto.getRandomValues(new Uint8Array(32))
  const session = deriveSessionId({ ...domain, payer: payer.address, worker: worker.address, salt })
  const scope = { session, job: deriveJobId(session, 0) }
  const published = await fetchModel(connection, model)
  if (published === undefined) throw new Error('The model was not published.')
  const core: ReceiptCore = {
    type: 'tacit-receipt/1',
    chainId: domain.chainId.toString(),
    contract: domain.contract,
    ...scope,
    worker: worker.address,
    model,
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
    payment: { voucherCommitment: commitVoucher({ salt: randomWord(), channelId: parseChannelId(randomWord()), amount: 1n }), steps: 1 },
    acceptedAt: seconds,
    completedAt: seconds + 1,
  }
  const acceptance: Acceptance = {
    type: 'tacit-acceptance/1',
    ...scope,
    worker: worker.address,
    request: core.ordered.request,
    acceptedAt: seconds,
  }
  const receiptId = documentId(core)
  const receipt = signDocument('Receipt', core, scope, domain, worker)
  const accepted: Evidence = { kind: 'acceptance/1', receiptId, body: signDocument('Acceptance', acceptance, scope, domain, worker) }
  const prove = async (): Promise<ChainReceipt> => {
    const checkpoint = await fetchCheckpoint(connection)
    const blockNumber = BigInt(checkpoint.blockNumber)
    const [registration, publication] = await Promise.all([
      fetchRegistrationProof(connection, { worker: worker.address, model, blockNumber }),
      fetchModelProof(connection, { model, blockNumber }),
    ])
    const evidence = [
      accepted,
      { kind: 'registration/1', receiptId, body: registration },
      { kind: 'model/1', receiptId, body: publication },
    ]
    return { file: { type: 'tacit-receipt-file/1', receipt, evidence }, checkpoint }
  }
  return { prove }
}
