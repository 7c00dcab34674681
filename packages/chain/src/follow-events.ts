// What the contracts say, in order, from a block on, for ever: across outages, restarts and reorganisations.
import { type Abi, type Log, parseEventLogs } from 'viem'
import { type Address, type Bytes32, parseAddress, parseBytes32 } from '@tacit/protocol'
import type { ChainConnection } from './connection.ts'
import { ChainUnreachableError } from './errors.ts'
import { sleep } from './internal/sleep.ts'
import { isUnreachable, translateChainError } from './internal/translate-error.ts'

/** How far a follower has come. Store it, and continue from it. */
export type EventCursor = { readonly blockNumber: bigint; readonly blockHash: Bytes32 }

/** One event of a contract. */
export type ContractEvent = {
  readonly address: Address
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  readonly blockNumber: bigint
  readonly transactionHash: Bytes32
  readonly logIndex: number
}

/**
 * `events` brings what happened up to a cursor. `rewind` takes back everything after a cursor: those blocks are no longer
 * part of the chain; their events come again if they happened again.
 */
export type FollowedStep =
  | { readonly kind: 'events'; readonly events: readonly ContractEvent[]; readonly cursor: EventCursor }
  | { readonly kind: 'rewind'; readonly cursor: EventCursor }

/** What to follow, and from where. */
export type FollowOptions = {
  readonly contracts: readonly { readonly address: Address; readonly abi: Abi }[]
  /** Where to go on; or the block to begin with. By default where the contracts were deployed. */
  readonly from?: EventCursor | bigint
  readonly pollMs?: number
  /** How long the node may be silent before the follower gives up. */
  readonly outageMs?: number
  /** Blocks asked for at once. */
  readonly rangeBlocks?: bigint
  readonly signal?: AbortSignal
}

/** Reorganisations deeper than this many steps end at the oldest remembered one. */
const rememberedSteps = 64

/**
 * Follows the events of some contracts.
 *
 * @throws ChainUnreachableError when the node was silent for `outageMs`.
 * @example
 * for await (const step of followEvents(chain, { contracts: [{ address: pool, abi: paymentPoolAbi }], signal })) {
 *   if (step.kind === 'events') for (const event of step.events) console.log(event.name)
 * }
 */
export async function* followEvents(chain: ChainConnection, options: FollowOptions): AsyncGenerator<FollowedStep, void, void> {
  const { pollMs = 250, outageMs = 60_000, rangeBlocks = 2_000n, signal } = options
  const trail: EventCursor[] = typeof options.from === 'object' ? [options.from] : []
  const firstBlock = typeof options.from === 'bigint' ? options.from : BigInt(chain.deployment.blockNumber)
  let silentSince: number | undefined
  for (;;) {
    signal?.throwIfAborted()
    let step: FollowedStep | undefined
    try {
      step = (await findRewind(chain, trail, firstBlock)) ?? (await fetchNext(chain, options, trail.at(-1), firstBlock, rangeBlocks))
      silentSince = undefined
    } catch (error) {
      if (!isUnreachable(error)) throw translateChainError(error, { url: chain.url, label: 'following events' })
      silentSince ??= performance.now()
      const waitedMs = Math.round(performance.now() - silentSince)
      if (waitedMs > outageMs) throw new ChainUnreachableError({ url: chain.url, waitedMs, cause: error })
    }
    if (step === undefined) {
      await sleep(pollMs, signal)
      continue
    }
    remember(trail, step)
    yield step
  }
}

function remember(trail: EventCursor[], step: FollowedStep): void {
  if (step.kind === 'rewind') while ((trail.at(-1)?.blockNumber ?? -1n) >= step.cursor.blockNumber) trail.pop()
  trail.push(step.cursor)
  if (trail.length > rememberedSteps) trail.shift()
}

/** Whether the newest remembered block is still there; if not, the newest one that is, or the block before the first. */
async function findRewind(chain: ChainConnection, trail: readonly EventCursor[], firstBlock: bigint): Promise<FollowedStep | undefined> {
  const last = trail.at(-1)
  if (last === undefined || (await hashAt(chain, last.blockNumber)) === last.blockHash) return undefined
  for (const cursor of trail.slice(0, -1).reverse()) {
    if ((await hashAt(chain, cursor.blockNumber)) === cursor.blockHash) return { kind: 'rewind', cursor }
  }
  const before = firstBlock > 0n ? firstBlock - 1n : 0n
  const blockHash = await hashAt(chain, before)
  return blockHash === undefined ? undefined : { kind: 'rewind', cursor: { blockNumber: before, blockHash } }
}

async function fetchNext(
  chain: ChainConnection,
  options: FollowOptions,
  last: EventCursor | undefined,
  firstBlock: bigint,
  rangeBlocks: bigint,
): Promise<FollowedStep | undefined> {
  const head = await chain.client.getBlockNumber()
  const fromBlock = last === undefined ? firstBlock : last.blockNumber + 1n
  if (head < fromBlock) return undefined
  const toBlock = head < fromBlock + rangeBlocks ? head : fromBlock + rangeBlocks - 1n
  const before = await hashAt(chain, toBlock)
  const logs = await chain.client.getLogs({ address: options.contracts.map((contract) => contract.address), fromBlock, toBlock })
  // The hash on both sides of the logs: they belong to the chain that the cursor names.
  if (before === undefined || (await hashAt(chain, toBlock)) !== before) return undefined
  return { kind: 'events', events: logs.flatMap((log) => decode(options, log)), cursor: { blockNumber: toBlock, blockHash: before } }
}

function decode(options: FollowOptions, log: Log<bigint, number, false>): readonly ContractEvent[] {
  const abi = options.contracts.find((contract) => contract.address === log.address.toLowerCase())?.abi
  if (abi === undefined) return []
  return parseEventLogs({ abi, logs: [log] }).map((parsed) => {
    // Without knowing the ABI, viem types these as absent; a decoded log has both.
    const { eventName, args } = parsed as unknown as { eventName: string; args?: Readonly<Record<string, unknown>> }
    return {
      address: parseAddress(log.address.toLowerCase()),
      name: eventName,
      args: args ?? {},
      blockNumber: log.blockNumber,
      transactionHash: parseBytes32(log.transactionHash),
      logIndex: log.logIndex,
    }
  })
}

async function hashAt(chain: ChainConnection, blockNumber: bigint): Promise<Bytes32 | undefined> {
  try {
    const block = await chain.client.getBlock({ blockNumber, includeTransactions: false })
    return parseBytes32(block.hash)
  } catch (error) {
    if (error instanceof Error && error.name === 'BlockNotFoundError') return undefined
    throw error
  }
}
