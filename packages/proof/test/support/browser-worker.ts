// Runs in a web worker: verifies frozen proofs and makes them again with both builds of the kernels.
import { type LayerStatement, parseHex } from '@tacit/protocol'
import { createProofEngine } from '../../src/engine.ts'
import { verifyLayer } from '../../src/verifier/verify-layer.ts'
import { frozenSpecs, makeFrozen } from './frozen.ts'

type Message = readonly { readonly statement: LayerStatement; readonly proof: `0x${string}` }[]

globalThis.onmessage = async ({ data }: MessageEvent<Message>) => {
  const results: string[] = []
  for (const variant of ['simd', 'scalar'] as const) {
    const engine = await createProofEngine({ variant })
    for (const [k, { statement, proof }] of data.entries()) {
      const spec = frozenSpecs[k]
      const verified = verifyLayer(statement, parseHex(proof, 'A proof'), { engine }).ok
      const again = spec !== undefined && (await makeFrozen(engine, spec, k + 1)).proof === proof
      results.push(`${variant} ${statement.spec.kind} ${verified} ${again}`)
    }
  }
  globalThis.postMessage(results)
}
