// Is the chain there, is it the right one, does it move.
import type { ChainConnection } from './connection.ts'
import { ChainStalledError, ChainUnreachableError, WrongChainError } from './errors.ts'
import { sleep } from './internal/sleep.ts'

/** What to wait for, and how long. */
export type WaitForChainOptions = {
  readonly chainId?: bigint
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * Waits until a node answers.
 * @returns its chain id
 * @throws ChainUnreachableError after `timeoutMs`; WrongChainError at once when another chain answers.
 */
export async function waitForChain(url: string, options: WaitForChainOptions = {}): Promise<bigint> {
  const { timeoutMs = 5_000, signal } = options
  const started = performance.now()
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 250)) {
    signal?.throwIfAborted()
    const actual = await askChainId(url, signal)
    if (typeof actual === 'bigint') {
      if (options.chainId !== undefined && options.chainId !== actual) throw new WrongChainError({ expected: options.chainId, actual })
      return actual
    }
    if (performance.now() - started > timeoutMs) throw new ChainUnreachableError({ url, waitedMs: timeoutMs, cause: actual })
    await sleep(pauseMs, signal)
  }
}

/**
 * Waits until the chain makes a block after `blockNumber`.
 * @throws ChainStalledError after `timeoutMs`, ChainUnreachableError when it stopped answering meanwhile.
 */
export async function waitForBlockAfter(
  connection: ChainConnection,
  blockNumber: bigint,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<bigint> {
  const started = performance.now()
  for (;;) {
    options.signal?.throwIfAborted()
    const head = await connection.client.getBlockNumber().catch((cause: unknown) => cause)
    if (typeof head === 'bigint' && head > blockNumber) return head
    const waitedMs = Math.round(performance.now() - started)
    if (waitedMs > options.timeoutMs) {
      if (typeof head === 'bigint') throw new ChainStalledError({ blockNumber: head, waitedMs })
      throw new ChainUnreachableError({ url: connection.url, waitedMs, cause: head })
    }
    await sleep(50, options.signal)
  }
}

async function askChainId(url: string, signal: AbortSignal | undefined): Promise<bigint | Error> {
  const timeout = AbortSignal.timeout(2_000)
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
    const answer = (await response.json()) as { result?: unknown }
    if (typeof answer.result === 'string' && /^0x[0-9a-f]{1,16}$/i.test(answer.result)) return BigInt(answer.result)
    return new Error('The node answered something else than a chain id')
  } catch (error) {
    signal?.throwIfAborted()
    return error instanceof Error ? error : new Error(String(error))
  }
}
