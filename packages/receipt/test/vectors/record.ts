// Writes recorded-chain.json: a receipt whose evidence comes from a real node with the real contracts, recorded once.
//   node --conditions=tacit-source packages/receipt/test/vectors/record.ts
import { writeFileSync } from 'node:fs'
import { drainWorker, fetchRegistrationProof, requestUnstake } from '@tacit/chain'
import { startTemporaryChain, token } from '../../../chain/test/support/local-chain.ts'
import { openMarket } from '../../../chain/test/support/market.ts'
import { createChainReceipt } from '../chain-receipt.ts'

await using chain = await startTemporaryChain()
const { connection } = chain
const { worker, client, modelId } = await openMarket(chain)
const { prove } = await createChainReceipt(connection, {
  worker: worker.signer,
  payer: client.signer,
  model: modelId,
  seconds: Math.floor(Date.now() / 1000),
})
const registered = await prove()
await drainWorker(worker, worker.address)
const draining = await prove()
await requestUnstake(worker, { worker: worker.address, modelId, amountWei: 3_000n * token })
const unstaked = await prove()
const stranger = await fetchRegistrationProof(connection, { worker: client.address, model: modelId })
const vectors = {
  origin: 'anvil 1.7.1, hardfork osaka, with the contracts of this repository; recorded by record.ts beside this file. Keys were random and are gone.',
  registered,
  draining,
  unstaked,
  stranger,
}
writeFileSync(new URL('./recorded-chain.json', import.meta.url), `${JSON.stringify(vectors, null, 1)}\n`)
