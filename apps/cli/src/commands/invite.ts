import { fetchCheckpoint } from '@tacit/chain'
import type { Command } from '../command.ts'
import { encodeInvitation } from '../invitation.ts'
import { requireNetwork } from '../network-file.ts'
import { connectNetwork } from '../open-client.ts'

export const invite: Command = {
  name: 'invite',
  summary: 'Prints an invitation to the network of this directory, for `tacit join` elsewhere.',
  usage: 'tacit invite',
  details: [
    'It says where chain, relay and dispatcher are, which contracts count, and one block by which the chain is recognised.',
    'It holds no secret, but whoever gets it can find the network. It is not signed: hand it over by a channel that you trust.',
    'Other machines reach the network only when it was started with `tacit up --host ADDRESS`.',
  ],
  async run({ dataDir, say, json, signal }) {
    const { network } = requireNetwork(dataDir)
    const chain = await connectNetwork(network, signal)
    const invitation = encodeInvitation({ type: 'tacit-invitation/1', network, checkpoint: await fetchCheckpoint(chain) })
    const isLocalOnly = /^(127\.|localhost$|\[::1\]$)/.test(new URL(network.relayUrl).hostname)
    if (isLocalOnly) console.error('This network is reachable from this machine only; `tacit up --host ADDRESS` opens it to others.')
    if (json) console.log(JSON.stringify({ ok: true, invitation, localOnly: isLocalOnly }))
    else say(invitation)
    return 0
  },
}
