// What ties a receipt to a chain that its reader believes in: the deployment, the block, the worker's registration there.
import {
  type Checkpoint,
  deriveStakeSlot,
  deriveWorkerSlot,
  type Evidence,
  MalformedError,
  parseHex,
  type ReceiptCore,
  type RegistrationProof,
  registrationProofSchema,
  unpackStakeSlot,
  unpackWorkerSlot,
} from '@tacit/protocol'
import { inTokens } from '../amounts.ts'
import { type BlockHeader, readBlockHeader } from '../block-header.ts'
import { type CheckLine, fail, pass, skip, skipUnneeded } from '../result.ts'
import { readState } from '../state-proof.ts'
import { isoTime } from './core.ts'

/** The receipt is of the chain and the payment contract that the checkpoint names. */
export function checkNetwork(core: ReceiptCore, checkpoint: Checkpoint | undefined): CheckLine {
  if (checkpoint === undefined) return skip('network', 'No checkpoint was given, so it is open which network this is.')
  if (core.chainId !== checkpoint.chainId)
    return fail('network', `It is of chain ${core.chainId}, your checkpoint of chain ${checkpoint.chainId}.`)
  if (core.contract !== checkpoint.contracts.paymentPool)
    return fail('network', 'It is of another deployment: the payment contract differs.')
  return pass('network', `It belongs to your network: chain ${core.chainId}, contract ${core.contract}.`)
}

type Registration =
  | { readonly outcome: 'shown'; readonly header: BlockHeader; readonly stakedWei: bigint; readonly status: string }
  | { readonly outcome: 'refused'; readonly reason: string; readonly header: BlockHeader | undefined }

/** The lines about a registration, and the stake that it shows. */
export type RegistrationCheck = { readonly lines: readonly CheckLine[]; readonly stakedWei: bigint | undefined }

/** Lines `block` and `registration`: the evidence is about the checkpoint's block, and the worker was registered and staked there. */
export async function checkRegistration(
  core: ReceiptCore,
  items: readonly Evidence[],
  checkpoint: Checkpoint | undefined,
): Promise<RegistrationCheck> {
  if (items.length === 0) {
    const lines = [
      skip('block', 'There is no registration evidence, so there is no block to look at.'),
      skip('registration', 'The evidence does not show that the worker was registered and had stake.'),
    ]
    return { lines, stakedWei: undefined }
  }
  const registrations = await Promise.all(items.map((item) => readRegistration(core, item, checkpoint)))
  const refused = registrations.find((registration) => registration.outcome === 'refused')
  // Evidence about several blocks may travel together; what is wrong in itself is wrong whatever its block.
  const chosen = refused ?? registrations.find(({ header }) => header?.hash === checkpoint?.blockHash) ?? registrations[0]
  if (chosen === undefined) return { lines: [], stakedWei: undefined }
  const lines = [checkBlock(chosen.header, checkpoint), describeRegistration(core, chosen, checkpoint)]
  if (items.length > 1 && refused === undefined) {
    lines.push(skipUnneeded('evidence', `${items.length - 1} further registration proofs are about other blocks and were not needed.`))
  }
  return { lines, stakedWei: chosen.outcome === 'shown' ? chosen.stakedWei : undefined }
}

/** The header of the evidence is that of the checkpoint's block. */
export function checkBlock(header: BlockHeader | undefined, checkpoint: Checkpoint | undefined): CheckLine {
  if (header === undefined) return skip('block', 'The evidence has no block that could be read.')
  if (checkpoint === undefined)
    return skip('block', `Needs a checkpoint of block ${header.number} (${header.hash}) from a source you trust.`)
  if (header.hash !== checkpoint.blockHash || header.number !== BigInt(checkpoint.blockNumber)) {
    const hint = `The evidence is about block ${header.number} (${header.hash}), your checkpoint is block ${checkpoint.blockNumber}`
    return fail('block', `${hint} (${checkpoint.blockHash}): another chain, or evidence that has to be fetched for your block.`)
  }
  return pass('block', `The evidence is about block ${header.number}, which is your checkpoint.`)
}

function describeRegistration(core: ReceiptCore, registration: Registration, checkpoint: Checkpoint | undefined): CheckLine {
  if (registration.outcome === 'refused') return fail('registration', registration.reason)
  const { header, stakedWei, status } = registration
  if (checkpoint === undefined || header.hash !== checkpoint.blockHash) {
    return skip('registration', 'The proof is sound, but nothing you trust says that its block exists.')
  }
  const distance = distanceInWords(Number(header.timestamp) - core.acceptedAt)
  return pass(
    'registration',
    `In block ${header.number} (${isoTime(Number(header.timestamp))}, ${distance}) the worker was ${status} with ${inTokens(stakedWei)} staked for the model.`,
  )
}

function distanceInWords(seconds: number): string {
  if (Math.abs(seconds) < 1) return 'when the job was accepted'
  return `${Math.abs(seconds)} s ${seconds < 0 ? 'before' : 'after'} the job was accepted`
}

async function readRegistration(core: ReceiptCore, item: Evidence, checkpoint: Checkpoint | undefined): Promise<Registration> {
  const proof = parseProof(item)
  if (typeof proof === 'string') return { outcome: 'refused', reason: proof, header: undefined }
  const foreign = findForeign(core, proof, checkpoint)
  const header = readBlockHeader(parseHex(proof.blockHeader, 'A block header'))
  if (foreign !== undefined) return { outcome: 'refused', reason: foreign, header }
  const state = await readState({
    blockHeader: proof.blockHeader,
    contract: proof.registry,
    accountProof: proof.accountProof,
    slots: [
      { slot: deriveWorkerSlot(core.worker), proof: proof.workerProof },
      { slot: deriveStakeSlot(core.worker, core.model), proof: proof.stakeProof },
    ],
  })
  if ('invalid' in state) return { outcome: 'refused', reason: `The registration proof is invalid: ${state.invalid}.`, header }
  return judge(state.header, state.values)
}

function judge(header: BlockHeader, values: readonly bigint[]): Registration {
  const [workerValue = 0n, stakeValue = 0n] = values
  const { status } = unpackWorkerSlot(workerValue)
  const { stakedWei } = unpackStakeSlot(stakeValue)
  if (status === 'none') return { outcome: 'refused', header, reason: 'The worker was not registered at that block.' }
  if (status === 'jailed') return { outcome: 'refused', header, reason: 'The worker was jailed at that block.' }
  if (stakedWei === 0n) return { outcome: 'refused', header, reason: 'The worker had no stake for the model at that block.' }
  return { outcome: 'shown', header, stakedWei, status }
}

function findForeign(core: ReceiptCore, proof: RegistrationProof, checkpoint: Checkpoint | undefined): string | undefined {
  if (proof.chainId !== core.chainId) return 'The registration is on another chain.'
  if (proof.worker !== core.worker) return 'The registration is of another worker.'
  if (proof.model !== core.model) return 'The stake is for another model.'
  if (checkpoint !== undefined && proof.registry !== checkpoint.contracts.workerRegistry) {
    return "The registration is in a contract that is not your network's worker registry."
  }
  return undefined
}

function parseProof(item: Evidence): RegistrationProof | string {
  try {
    return registrationProofSchema(item.body, 'registration')
  } catch (error) {
    if (error instanceof MalformedError) return error.message
    throw error
  }
}
