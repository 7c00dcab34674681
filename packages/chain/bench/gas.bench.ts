// What everything costs on chain, and how fast a local network is up. Gas is exact; times are this machine's.
import { rm } from 'node:fs/promises'
import type { TransactionReceipt } from 'viem'
import { startEmbeddedChain } from '../src/embedded/index.ts'
import {
  fetchChannel,
  lockForPayee,
  moveLock,
  redeemVoucher,
  redeemVouchers,
  requestUnlock,
  splitOf,
  topUpLock,
  withdrawRevenue,
  type ChannelKey,
} from '../src/index.ts'
import { disputeGas } from './dispute-gas.ts'
import { fundedSender, randomWord, temporaryDirectory, token, warp } from '../test/support/local-chain.ts'
import { openMarket, signClaim } from '../test/support/market.ts'

/** Gas per operation, and milliseconds until the network is up. */
export async function run(report: (line: string) => void): Promise<Record<string, number>> {
  const dataDir = await temporaryDirectory()
  const metrics: Record<string, number> = {}
  try {
    const started = performance.now()
    await using chain = await startEmbeddedChain({ dataDir })
    metrics['up.fresh_ms'] = round(performance.now() - started)
    for (const [name, gas] of await deploymentGas(chain)) metrics[`deploy.${name}_gas`] = gas
    Object.assign(metrics, await paymentGas(chain))
    Object.assign(metrics, await disputeGas(chain, [64, 1_024]))
    await chain.stop()
    const again = performance.now()
    await using restored = await startEmbeddedChain({ dataDir })
    metrics['up.restored_ms'] = round(performance.now() - again)
    report(`restored at block ${await restored.connection.client.getBlockNumber()}`)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
  report('targets: redeem.next_gas <= 46000, redeem_many.per_channel_gas <= 22000, up.fresh_ms <= 2000')
  return metrics
}

type Chain = Awaited<ReturnType<typeof startEmbeddedChain>>

async function deploymentGas(chain: Chain): Promise<readonly (readonly [string, number])[]> {
  const named = new Map<string | null, string>(Object.entries(chain.deployment.contracts).map(([name, address]) => [address, name]))
  const found: [string, number][] = []
  for (let blockNumber = 1n; blockNumber <= BigInt(chain.deployment.blockNumber); blockNumber++) {
    const block = await chain.connection.client.getBlock({ blockNumber })
    for (const hash of block.transactions) {
      const receipt = await chain.connection.client.getTransactionReceipt({ hash })
      const name = named.get(receipt.contractAddress?.toLowerCase() ?? '')
      if (name !== undefined) found.push([name, Number(receipt.gasUsed)])
    }
  }
  return found
}

async function paymentGas(chain: Chain): Promise<Record<string, number>> {
  const { connection } = chain
  const { client, worker, modelId } = await openMarket(chain)
  const claim = (key: ChannelKey, amount: bigint) => signClaim(connection, client.signer, key, amount)
  const open = async (payee = worker.address) => {
    const target = { payee, modelId, salt: randomWord() }
    const { receipt, channelId } = await lockForPayee(client, { ...target, amountWei: 10n * token })
    return { target, channelId, receipt, key: { ...target, payer: client.address } }
  }
  const first = await open()
  const root = randomWord()
  const redeemFirst = await redeemVoucher(worker, claim(first.key, token), { receiptsRoot: root })
  const redeemNext = await redeemVoucher(worker, claim(first.key, 2n * token), { receiptsRoot: randomWord() })
  const redeemPlain = await redeemVoucher(worker, claim(first.key, 3n * token))
  const topUp = await topUpLock(client, { ...first.target, amountWei: token })
  const many = []
  for (let i = 0; i < 20; i++) many.push(await open())
  const [batchFirst] = await redeemVouchers(
    worker,
    many.map(({ key }) => claim(key, token)),
    { receiptsRoot: root },
  )
  const [batchNext] = await redeemVouchers(
    worker,
    many.map(({ key }) => claim(key, 2n * token)),
    { receiptsRoot: root },
  )
  const split = splitOf(worker.address, await fetchChannel(connection, first.channelId))
  const withdraw = await withdrawRevenue(worker, { splits: [split] })
  const unlock = await requestUnlock(client, first.target)
  await warp(connection, 3_601)
  const other = await fundedSender(chain)
  const to = { payee: other.address, modelId, salt: randomWord() }
  const move = await moveLock(client, { from: first.target, to, finalAmountWei: 0n })
  return {
    'lock.gas': gasOf(first.receipt),
    'redeem.first_gas': gasOf(redeemFirst),
    'redeem.next_gas': gasOf(redeemNext),
    'redeem.next_without_root_gas': gasOf(redeemPlain),
    'redeem_many.first_per_channel_gas': round(gasOf(batchFirst) / 20),
    'redeem_many.per_channel_gas': round(gasOf(batchNext) / 20),
    'top_up.gas': gasOf(topUp),
    'withdraw_revenue.gas': gasOf(withdraw),
    'request_unlock.gas': gasOf(unlock),
    'move_lock.gas': gasOf(move.receipt),
  }
}

function gasOf(receipt: TransactionReceipt | undefined): number {
  return Number(receipt?.gasUsed)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
