import type { LocalNetwork } from '@tacit/node/node'
import { type Command, integerOf, textOf } from '../command.ts'
import { table } from '../format.ts'
import { defaultGatewayPort, openGateway } from '../open-gateway.ts'
import { runNetwork } from '../running-network.ts'

const usage = 'tacit up [--workers N] [--host ADDRESS] [--json]'

/** A local network that stays. */
export const up: Command = {
  name: 'up',
  summary: 'Starts a local network and keeps it running until Ctrl-C or `tacit down`.',
  usage,
  details: ['Everything listens on loopback unless --host names another address of this machine.'],
  options: {
    workers: { type: 'string', value: 'N', help: 'how many workers (default 2)' },
    'gateway-port': {
      type: 'string',
      value: 'PORT',
      help: `where OpenAI clients connect (default ${defaultGatewayPort}, or any free port when that is taken)`,
    },
    host: { type: 'string', value: 'ADDRESS', help: 'let other machines reach relay and dispatcher here' },
  },
  async run(invocation) {
    const { values, say, json, signal, dataDir } = invocation
    const host = textOf(values, 'host')
    await using running = await runNetwork(invocation, {
      workers: integerOf(values, 'workers', { fallback: 2, min: 1, max: 16, usage }),
      ...(host === undefined ? {} : { listen: { host, exposeBeyondLoopback: true } }),
    })
    await using gateway = await openGateway(
      invocation,
      running,
      integerOf(values, 'gateway-port', { fallback: defaultGatewayPort, min: 0, max: 65_535, usage }),
    )
    say(`Network up after ${(running.readyMs / 1000).toFixed(1)} s.`)
    for (const line of whatRunsWhere(running.network, dataDir, gateway.url)) say(line)
    if (json)
      console.log(JSON.stringify({ ok: true, readyMs: running.readyMs, network: running.network.description, gateway: gateway.url }))
    return await waitForEnd(running.network, say, signal)
  },
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
