import { type Abi, type ContractFunctionName, encodeFunctionData, type EncodeFunctionDataParameters } from 'viem'
import type { Hex } from '@tacit/protocol'

/** A transaction to be: plain data, so that it can be shown, journalled or batched before it is sent. */
export type ContractCall = {
  /** What it does, for people: "redeeming a voucher". */
  readonly label: string
  /** Undefined to create a contract. */
  readonly to: Hex | undefined
  readonly data: Hex
  readonly valueWei?: bigint
  /** Known gas; otherwise the node estimates, which also finds out whether the contract would refuse. */
  readonly gas?: bigint
  /** Names the contract's errors. */
  readonly abi?: Abi
}

/** A call of one function, its arguments checked against the ABI by the compiler. */
export function encodeCall<const abi extends Abi, name extends ContractFunctionName<abi>>(
  label: string,
  to: Hex,
  parameters: EncodeFunctionDataParameters<abi, name> & { readonly abi: abi },
): ContractCall {
  // viem cannot see through its own generic here; the arguments were checked where this function is called.
  return { label, to, abi: parameters.abi, data: encodeFunctionData(parameters as EncodeFunctionDataParameters) }
}
