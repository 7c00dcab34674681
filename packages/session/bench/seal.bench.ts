// npm run bench -- seal: the cost of opening a session and of each sealed chunk, per suite and AEAD backend.
import { nobleAead } from '../src/index.ts'
import { nodeAead } from '../src/node/index.ts'
import { measureChunk, measureHandshake } from './measure.ts'

export async function run(report: (line: string) => void): Promise<Readonly<Record<string, number>>> {
  const metrics: Record<string, number> = {}
  for (const suite of ['x-wing', 'x25519'] as const) {
    const { wrapMs, unwrapMs } = await measureHandshake(suite)
    metrics[`${suite}.wrap.ms`] = wrapMs
    metrics[`${suite}.unwrap.ms`] = unwrapMs
  }
  // The default suite under the plain names.
  metrics['wrap.ms'] = metrics['x-wing.wrap.ms'] ?? Number.NaN
  metrics['unwrap.ms'] = metrics['x-wing.unwrap.ms'] ?? Number.NaN
  for (const backend of [nodeAead, nobleAead]) {
    const { sealUs, openUs } = await measureChunk(backend)
    metrics[`seal.${backend.name}.us_per_chunk`] = sealUs
    metrics[`open.${backend.name}.us_per_chunk`] = openUs
  }
  metrics['seal.us_per_chunk'] = metrics['seal.node.us_per_chunk'] ?? Number.NaN
  metrics['seal.node_over_noble_speedup'] = Number(
    ((metrics['seal.noble.us_per_chunk'] ?? 0) / (metrics['seal.node.us_per_chunk'] ?? 1)).toFixed(2),
  )
  report('chunks of 64 bytes; medians; a session is opened once, then every chunk is synchronous')
  return metrics
}
