// A complete transformer block: the interpreter's bits, proved and verified end to end.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { assertQ8 } from '../../model/src/q8/assert-q8.ts'
import { runQ8 } from '../../model/src/q8/run-q8.ts'
import { createProofEngine } from '../src/engine.ts'
import { describeNetwork } from '../src/network/describe-network.ts'
import { parseProvableNetwork } from '../src/network/register-network.ts'
import { verifyNetwork } from '../src/network/verify-network.ts'
import { blockInput, gpt2Block } from './support/gpt2-block.ts'
import { proveInference, registerNetwork, runNetwork } from './support/prove-network.ts'

describe('a GPT-2 block', async () => {
  const engine = await createProofEngine()
  for (const sizes of [
    { tokens: 4, width: 16, heads: 2, hidden: 64 },
    { tokens: 1, width: 12, heads: 3, hidden: 20 },
  ])
    it(`of ${sizes.tokens} tokens, ${sizes.width} wide, ${sizes.heads} heads: proved with the interpreter's bits`, async () => {
      const model = assertQ8(gpt2Block(sizes))
      const described = describeNetwork(model)
      const input = blockInput(sizes)
      const tensors = runNetwork(engine, described, [input])
      const { activations } = runQ8(model, [input])
      for (const [k, values] of activations.entries()) assert.deepEqual(tensors[k], Int8Array.from(values), `boundary a${k}`)
      const registered = await registerNetwork(engine, described)
      const { proof, options } = await proveInference(engine, registered, activations)
      const published = parseProvableNetwork(JSON.parse(JSON.stringify(registered.network)))
      assert.deepEqual(verifyNetwork(published, proof, options), { ok: true })
      // one false byte in the normalisation, the scores, the softmax
      for (const layer of [0, 4, 5]) {
        const proofs = proof.proofs.map((bytes, k) =>
          k === layer ? bytes.map((byte, at) => (at === bytes.length - 5 ? byte ^ 1 : byte)) : bytes,
        )
        assert.deepEqual(verifyNetwork(published, { ...proof, proofs }, options), { ok: false, failedCheck: 'equation', layer })
      }
    })
})
