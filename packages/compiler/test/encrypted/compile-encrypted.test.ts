import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { evaluateInClear } from '@tacit/fhe'
import { float32, type Graph, type GraphNode, parseOnnx, runGraph, type Tensor } from '@tacit/model'
import { compileEncrypted, describePlan } from '../../src/encrypted/compile-encrypted.ts'

const digits = readFileSync(new URL('../../../../zoo/digits/digits-square.onnx', import.meta.url))
const relu = readFileSync(new URL('../../../../zoo/digits/digits-relu.onnx', import.meta.url))

type Shapes = Readonly<Record<string, readonly number[]>>

function graphOf(nodes: readonly GraphNode[], constants: Readonly<Record<string, Tensor>>, shapes: Shapes): Graph {
  const types = new Map(Object.entries(shapes).map(([id, shape]) => [id, { elementType: 'float32' as const, shape }]))
  for (const [id, constant] of Object.entries(constants)) types.set(id, { elementType: 'float32', shape: constant.shape })
  return {
    name: 'test',
    inputs: ['x'],
    outputs: [nodes.at(-1)?.outputs[0] ?? ''],
    nodes,
    constants: new Map(Object.entries(constants)),
    types,
  }
}

const ramp = (shape: readonly number[], scale: number): Tensor => {
  const count = shape.reduce((product, size) => product * size, 1)
  return float32(
    shape,
    Array.from({ length: count }, (_, i) => scale * Math.sin(i + 1)),
  )
}

describe('compileEncrypted', () => {
  it('turns the digit network into the matrices that compute the same', () => {
    const graph = parseOnnx(digits)
    const { network, plan, root } = compileEncrypted(graph)
    assert.equal(plan.parameters, 'ckks-8192-180')
    assert.equal(root.length, 32)
    const input = Float32Array.from({ length: 64 }, (_, i) => (i % 17) / 16)
    const expected = runGraph(graph, { [graph.inputs[0] ?? '']: float32([1, 64], input) })[graph.outputs[0] ?? '']
    const computed = evaluateInClear(network, input)
    assert.ok(expected)
    computed.forEach((value, i) => assert.ok(Math.abs(value - Number(expected.data[i])) < 1e-3))
  })

  it('takes convolutions, pooling and shapes between squares, and leaves a softmax to the client', () => {
    const window = { kernel: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] }
    const pool = { kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0, 0, 0] }
    const gemm = { operator: 'Gemm', alpha: 1, beta: 1, transA: false, transB: false } as const
    const nodes: readonly GraphNode[] = [
      { name: 'conv', operation: { operator: 'Conv', window, group: 1 }, inputs: ['x', 'k', 'kb'], outputs: ['a'] },
      { name: 'square', operation: { operator: 'Mul' }, inputs: ['a', 'a'], outputs: ['b'] },
      { name: 'pool', operation: { operator: 'AveragePool', window: pool, countIncludePad: false }, inputs: ['b'], outputs: ['c'] },
      { name: 'flat', operation: { operator: 'Reshape' }, inputs: ['c'], outputs: ['d'] },
      { name: 'dense', operation: gemm, inputs: ['d', 'w', 'wb'], outputs: ['e'] },
      { name: 'softmax', operation: { operator: 'Softmax', axis: 1 }, inputs: ['e'], outputs: ['f'] },
    ]
    const constants = { k: ramp([2, 1, 3, 3], 0.3), kb: ramp([2], 0.1), w: ramp([8, 3], 0.4), wb: ramp([3], 0.2) }
    const shapes = { x: [1, 1, 6, 6], a: [1, 2, 4, 4], b: [1, 2, 4, 4], c: [1, 2, 2, 2], d: [1, 8], e: [1, 3], f: [1, 3] }
    const graph = graphOf(nodes, constants, shapes)
    const model = compileEncrypted(graph)
    assert.equal(model.clientOperator, 'Softmax')
    assert.deepEqual(
      model.network.layers.map(({ inputs, outputs }) => [inputs, outputs]),
      [
        [36, 32],
        [32, 3],
      ],
    )
    const input = Float32Array.from({ length: 36 }, (_, i) => (i % 5) / 5)
    const clear = runGraph({ ...graph, outputs: ['e'] }, { x: float32([1, 1, 6, 6], input) }).e
    assert.ok(clear)
    evaluateInClear(model.network, input).forEach((value, i) => assert.ok(Math.abs(value - Number(clear.data[i])) < 1e-4))
    assert.match(describePlan(model).join('\n'), /applies Softmax/)
  })

  it('prints both error bounds, and what flooding hides only where it was asked for', () => {
    const [plain, flooded] = [{}, { flooding: 2 ** -9 }].map((options) => compileEncrypted(parseOnnx(digits), options))
    assert.ok(plain && flooded && plain.plan.error.typical < plain.plan.error.bound && plain.plan.error.bound < flooded.plan.error.bound)
    assert.match(describePlan(plain).join('\n'), /for any input, .* for a typical one; exceeded with probability 2\^-3/)
    assert.doesNotMatch(describePlan(plain).join('\n'), /flooding/)
    assert.match(describePlan(flooded).join('\n'), /flooding +deviation 2\.0e-3; noise of an answer tells evaluations apart by 2\^-/)
  })

  it('takes activations of degree two as shifted squares', () => {
    const gemm = { operator: 'Gemm', alpha: 1, beta: 1, transA: false, transB: false } as const
    const nodes: readonly GraphNode[] = [
      { name: 'dense', operation: gemm, inputs: ['x', 'w1', 'b1'], outputs: ['a'] },
      { name: 'square', operation: { operator: 'Mul' }, inputs: ['a', 'a'], outputs: ['s'] },
      { name: 'scaled', operation: { operator: 'Mul' }, inputs: ['s', 'p'], outputs: ['ps'] },
      { name: 'linear', operation: { operator: 'Mul' }, inputs: ['a', 'q'], outputs: ['qa'] },
      { name: 'sum', operation: { operator: 'Add' }, inputs: ['ps', 'qa'], outputs: ['t'] },
      { name: 'shift', operation: { operator: 'Add' }, inputs: ['t', 'r'], outputs: ['u'] },
      { name: 'last', operation: gemm, inputs: ['u', 'w2', 'b2'], outputs: ['y'] },
    ]
    const constants = {
      ...{ w1: ramp([5, 4], 0.5), b1: ramp([4], 0.2), w2: ramp([4, 3], 0.7), b2: ramp([3], 0.1) },
      ...{ p: float32([1], [0.5]), q: float32([1], [0.3]), r: float32([1], [0.1]) },
    }
    const shapes = { x: [1, 5], a: [1, 4], s: [1, 4], ps: [1, 4], qa: [1, 4], t: [1, 4], u: [1, 4], y: [1, 3] }
    const graph = graphOf(nodes, constants, shapes)
    const { network, plan } = compileEncrypted(graph)
    assert.equal(plan.hidden.length, 1)
    const input = Float32Array.of(0.1, 0.9, 0.4, 0, 1)
    const clear = runGraph(graph, { x: float32([1, 5], input) }).y
    assert.ok(clear)
    evaluateInClear(network, input).forEach((value, i) => assert.ok(Math.abs(value - Number(clear.data[i])) < 1e-4))
  })

  it('names the layer that it cannot take', () => {
    assert.throws(
      () => compileEncrypted(parseOnnx(relu)),
      (error: { code: string; message: string }) => {
        return error.code === 'fhe.unsupported-circuit' && /Relu/.test(error.message) && /x \* x/.test(error.message)
      },
    )
  })

  it('refuses a connection around a square', () => {
    const nodes: readonly GraphNode[] = [
      { name: 'square', operation: { operator: 'Mul' }, inputs: ['x', 'x'], outputs: ['a'] },
      {
        name: 'turned',
        operation: { operator: 'Gemm', alpha: 1, beta: 1, transA: false, transB: false },
        inputs: ['x', 'w'],
        outputs: ['t'],
      },
      { name: 'residual', operation: { operator: 'Add' }, inputs: ['a', 't'], outputs: ['b'] },
    ]
    const graph = graphOf(nodes, { w: ramp([4, 4], 1) }, { x: [1, 4], a: [1, 4], t: [1, 4], b: [1, 4] })
    assert.throws(() => compileEncrypted(graph), { code: 'fhe.unsupported-circuit', layer: 2 })
  })
})
