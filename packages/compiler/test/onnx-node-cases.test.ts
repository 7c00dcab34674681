// The checked-in part of ONNX's backend node tests: whatever the compiler takes must have the interpreter's bits, and the
// interpreter is judged by ONNX's own expectations elsewhere.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { type Graph, parseOnnx, parseOnnxTensor, runGraph, type Tensor } from '../../model/src/index.ts'
import { compileModel, UnsupportedNodeError } from '../src/index.ts'
import { bytesOf } from './run-compiled.ts'
import { runDivided } from './run-divided.ts'

type Stored = { readonly name: string; readonly model: string; readonly inputs: readonly string[] }
const file = new URL('../../model/test/vectors/onnx-node-cases.json', import.meta.url)
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: readonly Stored[] }
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'))

/** The graph of a case, with shapes and axes that are inputs fixed as constants. */
function graphOf(stored: Stored, named: Readonly<Record<string, Tensor>>): Graph {
  const inputShapes = Object.fromEntries(Object.entries(named).map(([name, { shape }]) => [name, shape]))
  const parameters = Object.entries(named).filter(([, { elementType, shape }]) => elementType !== 'float32' || shape.length === 0)
  for (const constants of [{}, Object.fromEntries(parameters)])
    try {
      return parseOnnx(bytes(stored.model), { inputShapes, constants })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'model.dynamic-shape')) throw error
    }
  return parseOnnx(bytes(stored.model), { inputShapes, constants: named })
}

it('has the bits of the reference interpreter on ONNX node cases', async () => {
  let [compared, divided] = [0, 0]
  for (const stored of cases) {
    const named = Object.fromEntries(stored.inputs.map((text) => parseOnnxTensor(bytes(text))).map(({ name, tensor }) => [name, tensor]))
    const graph = graphOf(stored, named)
    const given = Object.fromEntries(graph.inputs.flatMap((id) => (named[id] === undefined ? [] : [[id, named[id]]])))
    try {
      const { wasm, manifest } = await compileModel(graph, { profile: 'f32' })
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm))
      const memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer)
      for (const { name, offset } of manifest.inputs) memory.set(bytesOf(named[name]?.data ?? new Uint8Array(0)), offset)
      ;(exports['run'] as () => void)()
      const expected = runGraph(graph, given)
      for (const { name, offset } of manifest.outputs) {
        const wanted = bytesOf(expected[name]?.data ?? new Uint8Array(0))
        assert.deepEqual(memory.slice(offset, offset + wanted.length), wanted, `${stored.name}: ${name}`)
      }
      // The same on two threads, with everything cut that can be.
      const two = await compileModel(graph, { profile: 'f32', threads: 2, cutting: 'everything' })
      if (two.manifest.parallel !== undefined) {
        divided++
        const inputs = two.manifest.inputs.map(({ name }) => bytesOf(named[name]?.data ?? new Uint8Array(0)))
        const { outputs } = runDivided(two, inputs)
        for (const [i, { name }] of two.manifest.outputs.entries())
          assert.deepEqual(outputs[i], bytesOf(expected[name]?.data ?? new Uint8Array(0)), `${stored.name}: ${name} on two threads`)
      }
      compared++
    } catch (error) {
      if (!(error instanceof UnsupportedNodeError)) throw error
    }
  }
  assert.ok(compared >= cases.length * 0.8, `${compared} of ${cases.length} cases were compiled`)
  assert.ok(divided > cases.length / 4, `${divided} were divided`)
})
