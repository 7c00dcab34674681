// Layer proofs: the frozen ones verify, and made again with the same randomness they have the same bytes, with and without SIMD.
import { bytesToHex } from '@noble/hashes/utils.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { parseHex } from '@tacit/protocol'
import { createProofEngine } from '../../../packages/proof/src/engine.ts'
import { frozenSpecs, makeFrozen } from '../../../packages/proof/test/support/frozen.ts'
import { verifyLayer } from '../../../packages/proof/src/verifier/verify-layer.ts'

export async function run(): Promise<readonly string[]> {
  const lines: string[] = []
  for (const variant of ['simd', 'scalar'] as const) {
    const engine = await createProofEngine({ variant })
    for (const [k, spec] of frozenSpecs.entries()) {
      const { statement, proof } = await makeFrozen(engine, spec, k + 1)
      const bytes = parseHex(proof, 'A proof')
      lines.push(`${variant} ${statement.spec.kind} ${verifyLayer(statement, bytes, { engine }).ok} ${bytesToHex(sha256(bytes))}`)
    }
  }
  return lines
}
