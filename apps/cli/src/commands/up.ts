import { createTransactionSender } from '@tacit/chain'
import type { LocalNetwork, LocalNetworkListen } from '@tacit/node/node'
import { type Command, integerOf, textOf, type Values } from '../command.ts'
import { UsageError } from '../errors.ts'
import { type Faucet, ownFaucet } from '../faucet.ts'
import { table } from '../format.ts'
import { defaultGatewayPort, openGateway } from '../open-gateway.ts'
import { runNetwork } from '../running-network.ts'

const usage = 'tacit up [--workers N] [--host ADDRESS [--port N]] [--gateway-port PORT] [--json]'

/** A local network that stays. */
export const up: Command = {
  name: 'up',
  summary: 'Starts a local network and keeps it running until Ctrl-C or `tacit down`.',
  usage,
  details: [
    'Everything listens on loopback unless --host names another address of this machine. Then whoever reaches that address can',
    'use relay, dispatcher, faucet and the harmless part of the chain; the gateway and the chain node itself stay on loopback.',
    'Nothing in between is encrypted apart from the requests themselves: expose to networks that you know (README).',
  ],
  options: {
    workers: { type: 'string', value: 'N', help: 'how many workers (default 2)' },
    'gateway-port': {
      type: 'string',
      value: 'PORT',
      help: `where OpenAI clients connect (default ${defaultGatewayPort}, or any free port when that is taken)`,
    },
    host: { type: 'string', value: 'ADDRESS', help: 'let other machines reach the network at this address' },
    port: { type: 'string', value: 'N', help: 'with --host: relay at N, dispatcher at N+1, chain at N+2, so that invitations last' },
  },
  async run(invocation) {
    const { values, say, json, signal, dataDir } = invocation
    const listen = readListen(values)
    const gatewayPort =
      values['gateway-port'] === undefined ? undefined : integerOf(values, 'gateway-port', { fallback: 0, min: 0, max: 65_535, usage })
    await using running = await runNetwork(invocation, {
      workers: integerOf(values, 'workers', { fallback: 2, min: 1, max: 16, usage }),
      ...(listen === undefined ? {} : { listen }),
    })
    const { network } = running
    await using gateway = await openGateway(invocation, { network: network.description, faucet: faucetOf(network), port: gatewayPort })
    say(`Network up after ${(running.readyMs / 1000).toFixed(1)} s.`)
    for (const line of whatRunsWhere(network, dataDir, gateway.url)) say(line)
    if (json) console.log(JSON.stringify({ ok: true, readyMs: running.readyMs, network: network.description, gateway: gateway.url }))
    return await waitForEnd(network, say, signal)
  },
}

/** The faucet of a network that this process runs. */
export function faucetOf({ connection, chain }: LocalNetwork): Faucet {
  return ownFaucet(createTransactionSender(connection, chain.keys.faucet))
}

function readListen(values: Values): LocalNetworkListen | undefined {
  const host = textOf(values, 'host')
  if (host === undefined) {
    if (values['port'] !== undefined) throw new UsageError('--port needs --host.', usage)
    return undefined
  }
  if (host === '0.0.0.0' || host === '::') throw new UsageError('--host is the one address that others dial, not all of them.', usage)
  if (values['port'] === undefined) return { host, exposeBeyondLoopback: true }
  const port = integerOf(values, 'port', { fallback: 0, min: 1024, max: 65_533, usage })
  return { host, exposeBeyondLoopback: true, relayPort: port, dispatcherPort: port + 1, chainPort: port + 2 }
}

/** What runs where, and what to try next. */
export function whatRunsWhere(network: LocalNetwork, dataDir: string, gatewayUrl: string): readonly string[] {
  const rows = [
    ['chain', `${network.chain.url}, chain id ${network.chain.chainId}`, `process ${network.chain.anvilPid()}`],
    ['relay', network.relay.url ?? '', `process ${network.relay.pid}`],
    ['dispatcher', network.dispatcher.url ?? '', `process ${network.dispatcher.pid}`],
    ['gateway', `${gatewayUrl}/v1`, `process ${process.pid}`],
    ...network.workers.map((worker, index) => [`worker ${index + 1}`, worker.address ?? '', `process ${worker.pid}`]),
  ]
  return [
    '',
    'Running:',
    ...table(rows).map((line) => `  ${line}`),
    '',
    `Data: ${dataDir}`,
    `Models: ${network.models.map(({ card }) => card.name).join(', ')}`,
    '',
    'Try next, in another terminal:',
    '  npm run tacit -- infer "Tell me a tale."',
    '  npm run tacit -- infer --model digits --digit 42',
    `  curl ${gatewayUrl}/v1/chat/completions -H 'content-type: application/json' -d '{"model":"babble","messages":[{"role":"user","content":"Hi"}]}'`,
    '  npm run tacit -- receipts',
    '  npm run tacit -- invite          (then `tacit join` with what it prints, elsewhere)',
    '  npm run tacit -- --help',
    '',
    'Ctrl-C stops everything.',
  ]
}

/** Waits for Ctrl-C, or for a part of the network to end by itself. */
export async function waitForEnd(network: LocalNetwork, say: (line?: string) => void, signal: AbortSignal): Promise<number> {
  const stopped = new Promise<'stopped'>((resolve) => {
    if (signal.aborted) resolve('stopped')
    signal.addEventListener('abort', () => resolve('stopped'), { once: true })
  })
  const ended = await Promise.race([stopped, network.chain.exited.then(() => 'chain' as const)])
  if (ended === 'stopped') {
    say('\nStopping ...')
    return 0
  }
  say(`The ${ended} ended unexpectedly; stopping the rest. Start again to continue where it was.`)
  return 1
}
