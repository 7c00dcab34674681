// Frozen verifier programs and traces. TACIT_FREEZE=1 writes the file; it is read by the tests of the contracts too.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { layerStatementSchema, parseHex } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
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
