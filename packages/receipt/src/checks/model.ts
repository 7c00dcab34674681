// Whether the weights that the receipt names are those that the model's owner published.
import {
  type Checkpoint,
  deriveModelSlots,
  type Evidence,
  MalformedError,
  type ModelProof,
  modelProofSchema,
  type ReceiptCore,
  unpackModelHead,
  unpackModelTerms,
} from '@tacit/protocol'
import { inTokens } from '../amounts.ts'
import { type CheckLine, fail, pass, skip } from '../result.ts'
import { readState } from '../state-proof.ts'

/** Line `model`. `stakedWei`: the worker's stake, as the registration shows it. */
export async function checkModel(
  core: ReceiptCore,
  items: readonly Evidence[],
  options: { readonly checkpoint: Checkpoint | undefined; readonly stakedWei: bigint | undefined },
): Promise<CheckLine> {
  if (items.length === 0) return skip('model', 'That these are the published weights is the word of the worker: there is no evidence.')
  const lines = await Promise.all(items.map((item) => checkItem(core, item, options)))
  // Evidence about several blocks may travel together; what is wrong in itself is wrong whatever its block.
  const wrong = lines.find((line) => line.status === 'FAIL' && line.reason !== otherBlock)
  return wrong ?? lines.find((line) => line.status === 'PASS') ?? lines[0] ?? skip('model', 'There is no evidence.')
}

const otherBlock = 'The evidence about the model is about another block than your checkpoint.'

async function checkItem(
  core: ReceiptCore,
  item: Evidence,
  { checkpoint, stakedWei }: { readonly checkpoint: Checkpoint | undefined; readonly stakedWei: bigint | undefined },
): Promise<CheckLine> {
  const proof = parseProof(item)
  if (typeof proof === 'string') return fail('model', proof)
  if (proof.chainId !== core.chainId || proof.model !== core.model) return fail('model', 'The evidence is of another model or chain.')
  if (checkpoint !== undefined && proof.registry !== checkpoint.contracts.modelRegistry) {
    return fail('model', "The publication is in a contract that is not your network's model registry.")
  }
  const slots = deriveModelSlots(core.model)
  const state = await readState({
    blockHeader: proof.blockHeader,
    contract: proof.registry,
    accountProof: proof.accountProof,
    slots: [
      { slot: slots.head, proof: proof.headProof },
      { slot: slots.root, proof: proof.rootProof },
      { slot: slots.terms, proof: proof.termsProof },
    ],
  })
  if ('invalid' in state) return fail('model', `The model proof is invalid: ${state.invalid}.`)
  const [head = 0n, root = 0n, terms = 0n] = state.values
  const { status, owner } = unpackModelHead(head)
  const { minStakeWei } = unpackModelTerms(terms)
  if (status === 'none') return fail('model', 'The model was not published at that block.')
  if (root !== BigInt(core.modelRoot)) return fail('model', 'The worker names other weights than those that were published.')
  if (stakedWei !== undefined && stakedWei < minStakeWei)
    return fail('model', `The worker's stake is below the model's minimum, ${inTokens(minStakeWei)}.`)
  if (checkpoint === undefined) return skip('model', 'The proof is sound, but nothing you trust says that its block exists.')
  if (state.header.hash !== checkpoint.blockHash) return fail('model', otherBlock)
  return pass(
    'model',
    `The weights named are those that ${owner} published (${status} at that block); least stake ${inTokens(minStakeWei)}.`,
  )
}

function parseProof(item: Evidence): ModelProof | string {
  try {
    return modelProofSchema(item.body, 'model')
  } catch (error) {
    if (error instanceof MalformedError) return error.message
    throw error
  }
}
