// The other side of the session benchmark, in a process of its own: a relay, a worker and a plain HTTP server in front of
// the same engine, which does no work at all.
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { identityOf, listenThroughRelay } from '@tacit/network'
import { openNodeSocket, serveRelay } from '@tacit/network/node'
import { createSigner, deriveChannelId, parseAddress, parseBytes32, parseModelId } from '@tacit/protocol'
import { nodeAead } from '@tacit/session/node'
import type { ServedModel } from '../src/index.ts'
import { Worker } from '../src/index.ts'
import { loadFastSignatures, openSqliteJournal } from '../src/node/index.ts'

const zero = parseBytes32(`0x${'00'.repeat(32)}`)
export const benchDomain = { chainId: 2n ** 33n, contract: parseAddress(`0x${'aa'.repeat(20)}`) }
export const benchModel = parseModelId(`0x${'bb'.repeat(32)}`)
export const benchWorkerKey: Uint8Array = new Uint8Array(32).fill(3)

const model: ServedModel = {
  id: benchModel,
  name: 'zero-work',
  root: zero,
  stepPrice: 1n,
  stepTokens: 64,
  maxSteps: 1024,
  deadlineSeconds: 600,
  levels: [{ privacy: 'sealed', verification: 'signed' }],
  streamModes: ['immediate', 'paced'],
  notice: '',
  preflight: async () => ({ ok: true }),
  async *run(input, { maxTokens }) {
    const tokens = input.kind === 'chat' ? Math.min(input.maxTokens, maxTokens) : 1
    for (let i = 0; i < tokens; i++) yield { type: 'output', output: { kind: 'text', text: 'word ' }, tokens: 1 }
    yield { type: 'end', finishReason: 'stop', inputUnits: 1, outputUnits: tokens, profile: 'zero-work', traceRoot: null }
  },
}

if (import.meta.main) {
  const signatures = await loadFastSignatures()
  const signer = createSigner(benchWorkerKey, signatures)
  const relay = await serveRelay()
  const worker = new Worker({
    domain: benchDomain,
    signer,
    signatures,
    aead: nodeAead,
    random: (sizeBytes) => Uint8Array.from(randomBytes(sizeBytes)),
    now: () => Math.floor(Date.now() / 1000),
    nowMs: () => performance.now(),
    journal: openSqliteJournal(join(mkdtempSync(join(tmpdir(), 'tacit-bench-')), 'journal.sqlite')),
    models: [model],
    // The chain is not on the way of a request once a lock is known; here it is always known.
    channel: async ({ payer, salt }) => ({
      id: deriveChannelId({ ...benchDomain, payer, payee: signer.address, model: benchModel, salt }),
      payer,
      payee: signer.address,
      model: benchModel,
      salt,
      locked: 2n ** 64n,
      claimed: 0n,
      unusable: null,
    }),
    maxJobs: 64,
    report: (error) => console.error(error),
  })
  const listener = await listenThroughRelay(relay.url, { open: openNodeSocket, identity: identityOf(signer) })
  void (async () => {
    for await (const channel of listener.accept()) void worker.serve(channel)
  })()
  const plain = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => {
      const { tokens } = JSON.parse(body) as { tokens: number }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      void (async () => {
        const input = { kind: 'chat', messages: [], maxTokens: tokens, temperatureMilli: 0, topPMilli: 1000, seed: 0, stop: [] } as const
        for await (const event of model.run(input, {
          maxTokens: tokens,
          signal: new AbortController().signal,
          traceKey: new Uint8Array(32),
        })) {
          if (event.type === 'output' && event.output.kind === 'text') response.write(`data: ${JSON.stringify(event.output)}\n\n`)
        }
        response.end('data: [DONE]\n\n')
      })()
    })
  })
  plain.listen(0, '127.0.0.1', () => {
    const address = plain.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    console.log(JSON.stringify({ relayUrl: relay.url, plainUrl: `http://127.0.0.1:${port}` }))
  })
  process.stdin.on('end', () => process.exit(0)).resume()
}
