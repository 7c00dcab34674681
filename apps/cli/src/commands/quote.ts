import type { Command } from '../command.ts'
import { formatTokens, shorten, table } from '../format.ts'
import { requireNetwork } from '../network-file.ts'
import { openClient } from '../open-client.ts'
import { infer, readRequest } from './infer.ts'

export const quote: Command = {
  name: 'quote',
  summary: 'Asks workers what a request would cost, and who would be able to read it. Costs nothing.',
  usage: 'tacit quote [--model NAME] "prompt" | --digit N',
  ...(infer.options === undefined ? {} : { options: infer.options }),
  async run(invocation) {
    const { dataDir, say, json, signal } = invocation
    await using opened = await openClient(dataDir, requireNetwork(dataDir).network, { signal })
    const quotes = (await opened.client.quotes(await readRequest(invocation, opened), { signal })).map(({ document }) => document)
    const rows = quotes.map((document) => [
      shorten(document.worker),
      `${formatTokens(BigInt(document.stepPrice))} per ${document.stepTokens === 0 ? 'request' : `${document.stepTokens} tokens`}`,
      `${document.privacy}, ${document.verification}, ${document.streamMode}`,
      `readers: ${document.readers.map(shorten).join(', ') || 'nobody'}`,
    ])
    for (const line of table(rows)) say(line)
    if (json) console.log(JSON.stringify({ ok: true, quotes }))
    return 0
  },
}
