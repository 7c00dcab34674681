// A checked-in part of ONNX's own backend node tests; `npm run conformance -- onnx` runs all of them.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { judge } from '../../../tools/conformance/onnx/judge.ts'

type Stored = { name: string; model: string; inputs: string[]; outputs: string[]; relativeTolerance: number; absoluteTolerance: number }

const { cases } = JSON.parse(readFileSync(new URL('./vectors/onnx-node-cases.json', import.meta.url), 'utf8')) as { cases: Stored[] }
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'))
const load = (stored: Stored) => ({
  ...stored,
  model: bytes(stored.model),
  inputs: stored.inputs.map(bytes),
  outputs: stored.outputs.map(bytes),
})

it(`passes ${cases.length} of ONNX's backend node cases`, () => {
  assert.ok(cases.length >= 100)
  for (const stored of cases) {
    const verdict = judge(load(stored))
    assert.equal(verdict.verdict, 'pass', `${stored.name}: ${JSON.stringify(verdict)}`)
  }
})

it('would notice a wrong answer', () => {
  const failing = cases.filter((stored) => {
    const test = load(stored)
    const damaged = test.outputs.map((output) => output.map((byte, index) => (index === output.length - 20 ? byte ^ 0x7f : byte)))
    return judge({ ...test, outputs: damaged }).verdict !== 'pass'
  })
  assert.ok(failing.length > cases.length / 3, `${failing.length} of ${cases.length}`)
})
