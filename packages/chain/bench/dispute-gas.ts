// The gas of a whole lost dispute about the proof of a dense layer: the poster lies about one product of the last equation.
import { createProofEngine } from '@tacit/proof'
import { opcodeOf, type Trace, traceVerification } from '@tacit/proof/trace'
import type { EmbeddedChain } from '../src/embedded/index.ts'
import { anchorProofs } from '../src/index.ts'
import { richSender } from '../test/support/dispute.ts'
import { denseCase } from '../test/support/layer-cases.ts'
import { claimOf, lieAbout, playGame, proveCase } from '../test/support/layer-dispute.ts'
import { randomWord } from '../test/support/local-chain.ts'

/** Gas of every part, by name; instructions and bytes beside it. */
export async function disputeGas(chain: EmbeddedChain, sizes: readonly number[]): Promise<Record<string, number>> {
  const engine = await createProofEngine()
  const [poster, challenger] = [await richSender(chain), await richSender(chain)]
  const metrics: Record<string, number> = {
    'anchor.gas': Number((await anchorProofs(poster, { root: randomWord(), count: 64 })).gasUsed),
  }
  for (const size of sizes) {
    const name = `dispute${size}`
    const proved = await proveCase(chain, engine, denseCase(size, size))
    const proof = proved.proof.with(proved.proof.length - 1, (proved.proof.at(-1) ?? 0) ^ 1)
    const trace = traceVerification(proved.statement, proof, { engine, program: proved.program })
    const tree = lieAbout(trace, dearestStep(trace))
    const lie = { root: tree.root, verdictPath: tree.path(proved.program.count - 1) }
    const claim = claimOf({ ...proved, proof }, trace, lie)
    const { winner, rounds, gas } = await playGame(chain, engine, proved, { poster, challenger, claim, tree })
    if (winner !== 'challenger') throw new Error('The liar won.')
    const total = Object.values(gas).reduce((sum, each) => sum + each, 0n)
    Object.assign(metrics, {
      [`${name}.instructions`]: proved.program.count,
      [`${name}.proof_bytes`]: proof.length,
      [`${name}.rounds`]: rounds,
      [`${name}.register_program_gas`]: Number(proved.registerGas),
      ...Object.fromEntries(Object.entries(gas).map(([part, each]) => [`${name}.${part}_gas`, Number(each)])),
      [`${name}.challenger_gas`]: Number(total - (gas['assert'] ?? 0n) - (gas['reveal'] ?? 0n)),
      [`${name}.lost_dispute_gas`]: Number(total),
    })
  }
  return metrics
}

// A multiplication near the middle of the program.
function dearestStep({ program }: Trace): number {
  for (let node = program.count >> 1; node < program.count; node++) if (program.instruction(node).opcode === opcodeOf('MULADD')) return node
  throw new Error('The program multiplies nothing.')
}
