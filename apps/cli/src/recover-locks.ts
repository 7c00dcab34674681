// Finds locks that the data directory does not know, after a wallet was restored elsewhere or its database was lost.
import { fetchChannel, followEvents, paymentPoolAbi } from '@tacit/chain'
import type { OwnChannel } from '@tacit/client'
import { address, bytes32, channelId, modelId, type Schema } from '@tacit/protocol'
import type { OpenedClient } from './open-client.ts'

/**
 * Looks through every `Locked` event of the pool. What is found is only ever asked back, never spent from: how much of it was
 * promised to the worker is forgotten, and a voucher below an earlier one would be refused.
 * @returns the locks that were found and are still open.
 */
export async function recoverLocks({ chain, payer, store }: OpenedClient, signal: AbortSignal): Promise<readonly OwnChannel[]> {
  const known = new Set([...store.channels(), ...store.closingChannels()].map(({ id }) => id))
  const head = await chain.client.getBlockNumber()
  const found: OwnChannel[] = []
  const contracts = [{ address: chain.deployment.contracts.paymentPool, abi: paymentPoolAbi }]
  for await (const step of followEvents(chain, { contracts, signal })) {
    if (step.kind === 'events')
      for (const { name, args } of step.events)
        if (name === 'Locked' && read(address, args['payer']) === payer.address) {
          const id = read(channelId, args['channelId'])
          const { status, lockedWei } = await fetchChannel(chain, id)
          if (status !== 'open' || known.has(id)) continue
          const channel: OwnChannel = {
            id,
            worker: read(address, args['payee']),
            model: read(modelId, args['modelId']),
            salt: read(bytes32, args['salt']),
            locked: lockedWei,
          }
          store.retireChannel(channel)
          found.push(channel)
        }
    if (step.cursor.blockNumber >= head) break
  }
  return found
}

// The chain's client writes addresses with their checksum.
function read<T>(schema: Schema<T>, value: unknown): T {
  return schema(typeof value === 'string' ? value.toLowerCase() : value, 'event')
}
