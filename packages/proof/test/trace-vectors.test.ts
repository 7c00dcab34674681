// Frozen verifier programs and traces. TACIT_FREEZE=1 writes the file; it is read by the tests of the contracts too.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { layerStatementSchema, parseHex, toHex } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { traceVerification } from '../src/trace/trace.ts'
import { makeTraceVectors } from './support/trace-vectors.ts'

const folder = join(import.meta.dirname, 'vectors')
const file = join(folder, 'verifier-traces.json')

it('programs, traces, openings and instructions are what they were', async () => {
  const raw = ['layer-proofs.json', 'row-layer-proofs.json'].flatMap(
    (name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as readonly { statement: unknown; proof: `0x${string}` }[],
  )
  const proofs = raw.map(({ statement, proof }) => ({
    statement: layerStatementSchema(statement, 'statement'),
    proof: parseHex(proof, 'A proof'),
  }))
  const made = makeTraceVectors(await createProofEngine(), proofs)
  if (process.env['TACIT_FREEZE'] === '1') writeFileSync(file, `${JSON.stringify(made, null, 1)}\n`)
  assert.deepEqual(made, JSON.parse(readFileSync(file, 'utf8')))
})

it('both builds of the kernels give the same programs and traces', async () => {
  const raw = JSON.parse(readFileSync(join(folder, 'layer-proofs.json'), 'utf8')) as readonly { statement: unknown; proof: `0x${string}` }[]
  const frozen = JSON.parse(readFileSync(file, 'utf8')) as { layers: readonly { program: string; runs: readonly { root: string }[] }[] }
  const engine = await createProofEngine({ variant: 'scalar' })
  for (const [k, { statement, proof }] of raw.entries()) {
    const trace = traceVerification(layerStatementSchema(statement, 'statement'), parseHex(proof, 'A proof'), { engine })
    assert.deepEqual([toHex(trace.program.root), toHex(trace.root)], [frozen.layers[k]?.program, frozen.layers[k]?.runs[0]?.root])
  }
})
