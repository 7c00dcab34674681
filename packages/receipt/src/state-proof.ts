// Values of a contract's storage at one block, out of a header and EIP-1186 nodes.
import { type Address, type Bytes32, type Hex, parseHex } from '@tacit/protocol'
import { type BlockHeader, readBlockHeader } from './block-header.ts'
import { readAccount, readSlot } from './merkle-patricia.ts'

/** Which slots of which contract, and the nodes that are said to lead to them. */
export type StateClaim = {
  readonly blockHeader: Hex
  readonly contract: Address
  readonly accountProof: readonly Hex[]
  readonly slots: readonly { readonly slot: Bytes32; readonly proof: readonly Hex[] }[]
}

/** The header and the value of every slot, in order; or why the claim shows nothing. */
export type StateReading = { readonly header: BlockHeader; readonly values: readonly bigint[] } | { readonly invalid: string }

/** Reads the slots. What comes back holds under the header's state root; whether the header is of a block is another question. */
export async function readState(claim: StateClaim): Promise<StateReading> {
  const header = readBlockHeader(parseHex(claim.blockHeader, 'A block header'))
  if (header === undefined) return { invalid: 'the block header cannot be read' }
  const account = await readAccount(header.stateRoot, parseHex(claim.contract, 'A contract', 20), toNodes(claim.accountProof))
  if ('invalid' in account) return { invalid: `in the account proof, ${account.invalid}` }
  const values: bigint[] = []
  for (const { slot, proof } of claim.slots) {
    const reading = await readSlot(account.storageRoot, parseHex(slot, 'A slot', 32), toNodes(proof))
    if ('invalid' in reading) return { invalid: `in a storage proof, ${reading.invalid}` }
    values.push(reading.value)
  }
  return { header, values }
}

function toNodes(proof: readonly Hex[]): readonly Uint8Array[] {
  return proof.map((node) => parseHex(node, 'A trie node'))
}
