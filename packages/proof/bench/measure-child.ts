// One proof of a 64 x 64 layer in a process of its own: prints time and peak memory as JSON.
import { createProofEngine } from '../src/engine.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import { verifyNetwork } from '../src/network/verify-network.ts'
import { proveInference, registerNetwork, runNetwork } from '../test/support/prove-network.ts'
import { denseChain } from './networks.ts'

const engine = await createProofEngine()
const described = describeNetwork(denseChain([64, 64]))
const registered = await registerNetwork(engine, described)
const tensors = runNetwork(engine, described, [Int8Array.from({ length: 64 }, (_, k) => ((k * 37) % 200) - 100)])
const { proof, options } = await proveInference(engine, registered, tensors)
if (!verifyNetwork(registered.network, proof, options).ok) throw new Error('The proof does not verify.')
console.log(JSON.stringify({ maxRssKiB: process.resourceUsage().maxRSS, proofBytes: proof.proofs[0]?.length }))
