import { readFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { ChainError, fetchCheckpoint } from '@tacit/chain'
import { writeDurably } from '@tacit/node/node'
import { canonicalJson, type Json } from '@tacit/protocol'
import { type Command, type Invocation, textOf } from '../command.ts'
import {
  AlreadyJoinedError,
  AlreadyRunningError,
  FaucetRefusedError,
  FileUnusableError,
  InvitationMismatchError,
  UsageError,
} from '../errors.ts'
import { fundFromFaucet, networkFaucet } from '../faucet.ts'
import { formatTokens } from '../format.ts'
import { type Invitation, maxInvitationLength, parseInvitation } from '../invitation.ts'
import { findNetwork, writeNetworkFile } from '../network-file.ts'
import { connectNetwork, openClient } from '../open-client.ts'
import { fetchBalances } from '../wallet-actions.ts'

const usage = 'tacit join INVITATION | --file FILE'

export const join: Command = {
  name: 'join',
  summary: 'Joins a network that runs elsewhere, with an invitation from `tacit invite`.',
  usage,
  details: [
    'Checks that the chain has the id, the contracts and the block that the invitation names; on a local network the faucet then',
    'sends tokens for trying out (its operator learns your address on chain together with your network address).',
  ],
  options: {
    file: { type: 'string', value: 'FILE', help: 'read the invitation from a file; - for standard input' },
    'no-faucet': { type: 'boolean', help: 'ask the faucet for nothing' },
  },
  async run(invocation) {
    const { dataDir, say, json, signal, values } = invocation
    const invitation = parseInvitation(readInvitation(invocation))
    const present = findNetwork(dataDir)
    if (present?.kind === 'local') throw new AlreadyRunningError(dataDir, present.pid)
    if (present?.kind === 'joined') throw new AlreadyJoinedError(dataDir)
    await assertSameNetwork(invitation, signal)
    const { network, checkpoint } = invitation
    const checkpointPath = joinPath(dataDir, 'checkpoint.json')
    writeDurably(checkpointPath, canonicalJson(checkpoint as unknown as Json)) // plain data by construction
    writeNetworkFile(dataDir, { type: 'tacit-network-file/1', kind: 'joined', pid: 0, network, gatewayUrl: null })
    say(`Joined: chain ${checkpoint.chainId}, recognised by block ${checkpoint.blockNumber}.`)
    const { address, walletWei, poolWei } = await firstMoney(invocation, invitation, values['no-faucet'] !== true)
    say(`Wallet ${address}: ${formatTokens(walletWei)}, and ${formatTokens(poolWei)} in the pool.`)
    say('Try `tacit models`, then `tacit infer "Tell me a tale."`. `tacit down` leaves the network.')
    if (json)
      console.log(
        JSON.stringify({
          ok: true,
          chainId: checkpoint.chainId,
          checkpoint: checkpointPath,
          address,
          walletWei: walletWei.toString(),
          poolWei: poolWei.toString(),
        }),
      )
    return 0
  },
}

function readInvitation({ positionals, values }: Invocation): string {
  const file = textOf(values, 'file')
  if (file !== undefined && positionals.length === 0) {
    try {
      return readFileSync(file === '-' ? 0 : file, 'utf8').slice(0, 2 * maxInvitationLength + 1)
    } catch (cause) {
      throw new FileUnusableError(file, 'cannot be read', { cause })
    }
  }
  if (file !== undefined || positionals.length === 0) throw new UsageError('Give one invitation.', usage)
  return positionals.join('')
}

/** @throws InvitationMismatchError, ChainUnreachableError */
async function assertSameNetwork({ network, checkpoint }: Invitation, signal: AbortSignal): Promise<void> {
  try {
    const chain = await connectNetwork(network, signal)
    const found = await fetchCheckpoint(chain, { blockNumber: BigInt(checkpoint.blockNumber) })
    if (found.blockHash !== checkpoint.blockHash)
      throw new InvitationMismatchError(
        `block ${checkpoint.blockNumber} there is ${found.blockHash}, the invitation says ${checkpoint.blockHash}`,
      )
  } catch (cause) {
    if (cause instanceof ChainError && cause.code !== 'chain.unreachable')
      throw new InvitationMismatchError(cause.message.split('\n')[0]?.replace(/\.$/, '') ?? '', { cause })
    throw cause
  }
}

// Joining is done by then; without money everything that is free still works.
async function firstMoney({ dataDir, say, signal }: Invocation, { network }: Invitation, wanted: boolean) {
  await using opened = await openClient(dataDir, network, { signal })
  const faucet = wanted ? networkFaucet(network, signal) : undefined
  if (faucet === undefined) say('Nothing was asked of a faucet; `tacit wallet` shows where to send tokens and gas.')
  try {
    if (faucet !== undefined) await fundFromFaucet(opened, faucet)
  } catch (error) {
    if (!(error instanceof FaucetRefusedError)) throw error
    say(error.message)
  }
  const { tokensWei, poolWei } = await fetchBalances(opened)
  return { address: opened.payer.address, walletWei: tokensWei, poolWei }
}
