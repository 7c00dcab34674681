// Asks the machine on chain for the leaf of one step.
import assert from 'node:assert/strict'
import { type Address, type Bytes32, type Hex, parseAddress, parseBytes32, toHex } from '@tacit/protocol'
import { type ChainConnection, type OpenedStep, proofDisputesAbi, verifierMachineAbi } from '../../src/index.ts'

export type StepCall = {
  readonly index: number
  readonly steps: number
  readonly step: OpenedStep
  readonly program: Bytes32
  readonly trace: Bytes32
  readonly words: readonly Bytes32[]
}

export async function fetchMachine({ client, deployment }: ChainConnection): Promise<Address> {
  const address = deployment.contracts.proofDisputes ?? assert.fail()
  return parseAddress((await client.readContract({ address, abi: proofDisputesAbi, functionName: 'machine' })).toLowerCase())
}

type Seven = readonly [Hex, Hex, Hex, Hex, Hex, Hex, Hex]

/** Rejects with the contract's error when it takes the opening for none. */
export async function fetchLeaf({ client }: ChainConnection, address: Address, call: StepCall): Promise<Bytes32> {
  const { index, steps, step, program, trace, words } = call
  const asked = { address, abi: verifierMachineAbi, functionName: 'leafOf' } as const
  const { length, root, chunks } = step.source ?? { length: 0, root: new Uint8Array(32), chunks: [] }
  const opened = {
    instruction: toHex(step.instruction),
    instructionPath: step.instructionPath.map((node) => toHex(node)),
    operands: step.operands.map(({ value, path }) => ({
      x: BigInt(toHex(value.subarray(0, 32))),
      y: value.length === 32 ? 0n : BigInt(toHex(value.subarray(32))),
      path: path.map((node) => toHex(node)),
    })),
    source: {
      length: BigInt(length),
      root: toHex(root),
      chunks: chunks.map(({ data, siblings }) => ({ data: toHex(data), siblings: siblings.map((node) => toHex(node)) })),
    },
  }
  // Seven words are in every call; the tuple type is the ABI's.
  const args = [BigInt(index), { program, trace, steps: BigInt(steps) }, words as unknown as Seven, opened] as const
  return parseBytes32(await client.readContract({ ...asked, args }))
}
