import type { Abi, ContractFunctionArgs, ContractFunctionName, ReadContractParameters, ReadContractReturnType } from 'viem'
import type { ChainConnection } from '../connection.ts'
import { translateChainError } from './translate-error.ts'

/** viem's `readContract` with our errors. */
export async function readContract<
  const abi extends Abi,
  name extends ContractFunctionName<abi, 'pure' | 'view'>,
  const args extends ContractFunctionArgs<abi, 'pure' | 'view', name>,
>(
  chain: Pick<ChainConnection, 'client' | 'url'>,
  label: string,
  parameters: ReadContractParameters<abi, name, args>,
): Promise<ReadContractReturnType<abi, name, args>> {
  try {
    return await chain.client.readContract(parameters)
  } catch (error) {
    throw translateChainError(error, { url: chain.url, label })
  }
}
