// Runs a chain until somebody kills it.
import { startEmbeddedChain } from '../../src/embedded/index.ts'

const chain = await startEmbeddedChain({ dataDir: process.argv[2] ?? '' })
console.log(JSON.stringify({ anvilPid: chain.anvilPid(), tetherPid: chain.tetherPid, url: chain.url }))
setInterval(() => undefined, 1_000)
