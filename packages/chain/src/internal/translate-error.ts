// viem's errors, as ours. Callers branch on codes, never on texts of a node.
import { BaseError, ContractFunctionRevertedError, decodeErrorResult, type Abi, type Hex } from 'viem'
import { TacitError } from '@tacit/protocol'
import { ChainUnreachableError, InsufficientGasFundsError, TransactionRevertedError } from '../errors.ts'

/** What was being done when it failed. */
export type ErrorContext = { readonly url: string; readonly label: string; readonly account?: string; readonly abi?: Abi }

/** Whether the node could not be reached at all, as opposed to having answered with an error. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof BaseError)) return false
  return error.walk((cause) => cause instanceof Error && transportErrors.has(cause.name)) !== null
}

const transportErrors: ReadonlySet<string> = new Set(['HttpRequestError', 'TimeoutError', 'SocketClosedError', 'WebSocketRequestError'])

/** The error to throw instead of what viem threw. */
export function translateChainError(error: unknown, context: ErrorContext): unknown {
  if (error instanceof TacitError || !(error instanceof BaseError)) return error
  if (isUnreachable(error)) return new ChainUnreachableError({ url: context.url, cause: error })
  const text = messagesOf(error)
  if (/insufficient funds/i.test(text)) return new InsufficientGasFundsError({ address: context.account ?? 'unknown', cause: error })
  const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError)
  if (reverted instanceof ContractFunctionRevertedError)
    return new TransactionRevertedError({
      label: context.label,
      reason: reverted.data?.errorName ?? reverted.reason,
      args: reverted.data?.args ?? [],
      cause: error,
    })
  const data = revertData(error)
  if (data !== undefined || /revert/i.test(text))
    return new TransactionRevertedError({ label: context.label, ...decodeRevert(context.abi, data), cause: error })
  return error
}

/** The messages of an error and of everything that caused it. */
export function messagesOf(error: unknown): string {
  const parts: string[] = []
  for (let current = error; current instanceof Error; current = current.cause) {
    parts.push(current.message)
    if (current instanceof BaseError && current.details) parts.push(current.details)
  }
  return parts.join('\n')
}

function revertData(error: unknown): Hex | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    const data = (current as { data?: unknown }).data
    if (typeof data === 'string' && /^0x[0-9a-f]{8,}$/i.test(data)) return data as Hex // checked just now
  }
  return undefined
}

function decodeRevert(
  abi: Abi | undefined,
  data: Hex | undefined,
): { readonly reason: string | undefined; readonly args: readonly unknown[] } {
  if (data === undefined) return { reason: undefined, args: [] }
  try {
    const decoded = decodeErrorResult(abi === undefined ? { data } : { abi, data })
    return { reason: decoded.errorName, args: decoded.args ?? [] }
  } catch {
    return { reason: data.slice(0, 10), args: [] }
  }
}
