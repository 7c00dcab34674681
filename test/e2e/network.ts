// A real local network for end-to-end tests: every role a process, one payer with money.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTransactionSender, depositToPool, dripTo } from '@tacit/chain'
import { type InferEvent, type InferRequest, TacitClient } from '@tacit/client'
import { type FileClientStore, openFileClientStore } from '@tacit/client/node'
import { createNodeDialer } from '@tacit/network/node'
import { type LocalNetwork, type LocalNetworkOptions, loadZoo, openKeyFile, startLocalNetwork } from '@tacit/node/node'
import { nodeAead } from '@tacit/session/node'

export type TestNetwork = AsyncDisposable & {
  readonly dataDir: string
  readonly network: LocalNetwork
  readonly client: TacitClient
  readonly store: FileClientStore
  readonly newClient: (name: string) => Promise<TacitClient>
}

export async function startTestNetwork(options: Partial<LocalNetworkOptions> = {}): Promise<TestNetwork> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'tacit-e2e-'))
  const network = await startLocalNetwork({ dataDir, models: loadZoo(), ...options })
  const store = openFileClientStore(join(dataDir, 'client'))
  const newClient = async (name: string, clientStore = openFileClientStore(join(dataDir, name))): Promise<TacitClient> => {
    const payer = openKeyFile(join(dataDir, name, 'wallet.key'), network.signatures)
    const faucet = createTransactionSender(network.connection, network.chain.keys.faucet)
    const sender = createTransactionSender(network.connection, payer)
    await dripTo(faucet, payer.address).catch(() => {}) // a wallet that was funded before is in its cooling-down time
    await depositToPool(sender, { amountWei: 50n * 10n ** 18n })
    return new TacitClient({
      network: network.description,
      chain: network.connection,
      payer,
      sender,
      store: clientStore,
      dialer: createNodeDialer(),
      random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
      signatures: network.signatures,
      aead: nodeAead,
      now: () => Math.floor(Date.now() / 1000),
    })
  }
  const client = await newClient('client', store)
  return {
    dataDir,
    network,
    client,
    store,
    newClient,
    [Symbol.asyncDispose]: async () => {
      await client.close()
      store.close()
      await network.stop()
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

export function chat(content: string, maxTokens = 48): InferRequest {
  return {
    model: 'babble',
    input: { kind: 'chat', messages: [{ role: 'user', content }], maxTokens, temperatureMilli: 700, topPMilli: 1000, seed: 3, stop: [] },
  }
}

/** Runs a request to its end. */
export async function collect(events: AsyncIterable<InferEvent>): Promise<{
  readonly events: readonly InferEvent[]
  readonly text: string
  readonly receipt: Extract<InferEvent, { type: 'receipt' }> | undefined
}> {
  const all: InferEvent[] = []
  for await (const event of events) all.push(event)
  const afterRestart = all.slice(all.findLastIndex((event) => event.type === 'restarted') + 1)
  return {
    events: all,
    text: afterRestart.map((event) => (event.type === 'output' && event.output.kind === 'text' ? event.output.text : '')).join(''),
    receipt: all.find((event) => event.type === 'receipt'),
  }
}
