import { readFileSync } from 'node:fs'
import { fetchCheckpoint } from '@tacit/chain'
import { writeDurably } from '@tacit/node/node'
import {
  canonicalJson,
  type Json,
  maxReceiptFileBytes,
  parseHex,
  parseJson,
  receiptFileSchema,
  registrationProofSchema,
} from '@tacit/protocol'
import { readBlockHeader } from '@tacit/receipt'
import { type Command, type Invocation, textOf } from '../command.ts'
import { FileUnusableError, UsageError } from '../errors.ts'
import { requireNetwork } from '../network-file.ts'
import { connectNetwork } from '../open-client.ts'

const usage = 'tacit checkpoint [--block N | --for RECEIPT.json] [--out FILE]'

export const checkpoint: Command = {
  name: 'checkpoint',
  summary: 'Writes a checkpoint from the chain that this directory uses, to verify receipts against.',
  usage,
  details: ['A receipt is checked against the block that its evidence is about: --for takes that block from the receipt.'],
  options: {
    block: { type: 'string', value: 'N', help: 'which block (default: the latest)' },
    for: { type: 'string', value: 'FILE', help: 'the block that the evidence of this receipt is about' },
    out: { type: 'string', value: 'FILE', help: 'where to write it (default: standard output)' },
  },
  async run(invocation) {
    const { dataDir, say, json, signal, values } = invocation
    const blockNumber = chooseBlock(invocation)
    const chain = await connectNetwork(requireNetwork(dataDir).network, signal)
    const found = await fetchCheckpoint(chain, blockNumber === undefined ? {} : { blockNumber })
    const text = canonicalJson(found as unknown as Json) // plain data by construction
    const out = textOf(values, 'out')
    if (out !== undefined) {
      writeDurably(out, `${text}\n`)
      say(`Block ${found.blockNumber} (${found.blockHash}) of chain ${found.chainId}: ${out}`)
    } else if (!json) console.log(text)
    if (json) console.log(JSON.stringify({ ok: true, checkpoint: found, path: out ?? null }))
    return 0
  },
}

function chooseBlock({ values }: Invocation): bigint | undefined {
  const block = textOf(values, 'block')
  const receipt = textOf(values, 'for')
  if (block !== undefined && receipt !== undefined) throw new UsageError('Give --block or --for, not both.', usage)
  if (receipt !== undefined) return blockOfReceipt(receipt)
  if (block === undefined) return undefined
  if (!/^\d{1,15}$/.test(block)) throw new UsageError('--block is a number.', usage)
  return BigInt(block)
}

function blockOfReceipt(path: string): bigint {
  let block: bigint | undefined
  try {
    const { evidence } = receiptFileSchema(parseJson(readFileSync(path), 'A receipt', maxReceiptFileBytes), 'receipt')
    const item = evidence.find(({ kind }) => kind === 'registration/1')
    const proof = item === undefined ? undefined : registrationProofSchema(item.body, 'registration')
    block = proof === undefined ? undefined : readBlockHeader(parseHex(proof.blockHeader, 'A block header'))?.number
  } catch (cause) {
    throw new FileUnusableError(path, 'is not a receipt', { cause })
  }
  if (block === undefined) throw new FileUnusableError(path, 'holds no evidence about a block')
  return block
}
