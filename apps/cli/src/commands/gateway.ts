import { type Command, integerOf } from '../command.ts'
import { networkFaucet } from '../faucet.ts'
import { requireNetwork } from '../network-file.ts'
import { defaultGatewayPort, openGateway } from '../open-gateway.ts'

const usage = 'tacit gateway [--port PORT]'

export const gateway: Command = {
  name: 'gateway',
  summary: 'Serves OpenAI clients on loopback, paid from the wallet of this directory, until Ctrl-C.',
  usage,
  details: ['Every program on this machine that can reach the port spends from the pool. `tacit up` runs one by itself.'],
  options: {
    port: { type: 'string', value: 'PORT', help: `where to listen (default ${defaultGatewayPort}, or any free port when that is taken)` },
  },
  async run(invocation) {
    const { dataDir, values, say, json, signal } = invocation
    const { network } = requireNetwork(dataDir)
    const port = values['port'] === undefined ? undefined : integerOf(values, 'port', { fallback: 0, min: 0, max: 65_535, usage })
    await using opened = await openGateway(invocation, { network, faucet: networkFaucet(network, signal), port })
    say(`OpenAI clients: base URL ${opened.url}/v1, any key. Ctrl-C stops.`)
    if (json) console.log(JSON.stringify({ ok: true, gateway: opened.url }))
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    return 0
  },
}
