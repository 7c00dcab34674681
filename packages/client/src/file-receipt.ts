// Keeps what was paid for: the receipt and its openings at once, the chain's word about worker and model as soon as it gives it.
import { type ChainConnection, fetchCheckpoint, fetchModelProof, fetchRegistrationProof } from '@tacit/chain'
import { type ClientOrder, type ClientReceipt, inputBytes, type JobOutput, outputBytes } from '@tacit/exchange'
import {
  type Bytes32,
  type Checkpoint,
  documentId,
  type Evidence,
  type Openings,
  type ReceiptCore,
  type ReceiptFile,
  toHex,
} from '@tacit/protocol'
import { type ReceiptVerification, verifyReceipt } from '@tacit/receipt'
import type { ClientStore, SavedReceipt } from './client-store.ts'

/** A receipt as it was stored, and what checking it gave. */
export type FiledReceipt = {
  readonly id: Bytes32
  readonly file: ReceiptFile
  readonly saved: SavedReceipt
  /** Null when the chain did not answer: the receipt is kept, without evidence about worker and model. */
  readonly checkpoint: Checkpoint | null
  readonly verification: ReceiptVerification
}

type Filing = {
  readonly order: ClientOrder
  readonly outputs: readonly JobOutput[]
  readonly chain: ChainConnection
  readonly store: ClientStore
  readonly now: () => number
}

/** Stores the receipt twice: before the chain is asked, so that nothing paid for is lost, and with its evidence after. */
export async function fileReceipt(result: ClientReceipt, { order, outputs, chain, store, now }: Filing): Promise<FiledReceipt> {
  const core = result.receipt.document
  const id = documentId(core)
  const acceptance: Evidence = { kind: 'acceptance/1', receiptId: id, body: result.acceptance }
  const bare: ReceiptFile = { type: 'tacit-receipt-file/1', receipt: result.receipt, evidence: [acceptance] }
  const openings = openingsOf(id, result, order, outputs)
  let saved = await store.saveReceipt({ id, file: bare, openings, checkpoint: null })
  const shown = await fetchEvidence(chain, core, id).catch(() => null)
  const file = shown === null ? bare : { ...bare, evidence: [acceptance, ...shown.evidence] }
  const checkpoint = shown?.checkpoint ?? null
  if (shown !== null) saved = await store.saveReceipt({ id, file, openings, checkpoint })
  const verification = await verifyReceipt(file, { openings, now: now(), ...(checkpoint === null ? {} : { checkpoint }) })
  return { id, file, saved, checkpoint, verification }
}

function openingsOf(receiptId: Bytes32, result: ClientReceipt, order: ClientOrder, outputs: readonly JobOutput[]): Openings {
  return {
    type: 'tacit-openings/1',
    receiptId,
    input: { frankingKey: result.inputFrankingKey, plaintext: toHex(inputBytes(order.input)) },
    output: { frankingKey: result.outputFrankingKey, plaintext: toHex(outputBytes(outputs)) },
    voucher: { salt: result.voucherSalt, channelId: order.channel, amount: result.voucher.maxClaimableAmount },
    order: { request: result.request, quote: result.quote },
  }
}

/** The chain's word about worker and model, both at one block. */
async function fetchEvidence(
  chain: ChainConnection,
  core: ReceiptCore,
  receiptId: Bytes32,
): Promise<{ readonly checkpoint: Checkpoint; readonly evidence: readonly Evidence[] }> {
  const checkpoint = await fetchCheckpoint(chain)
  const blockNumber = BigInt(checkpoint.blockNumber)
  const [registration, model] = await Promise.all([
    fetchRegistrationProof(chain, { worker: core.worker, model: core.model, blockNumber }),
    fetchModelProof(chain, { model: core.model, blockNumber }),
  ])
  return {
    checkpoint,
    evidence: [
      { kind: 'registration/1', receiptId, body: registration },
      { kind: 'model/1', receiptId, body: model },
    ],
  }
}
