// Tiles, panels and what is left over of both: every way to cut a product into registers has the interpreter's bits.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { float32, type OnnxFileNode, parseOnnx, runGraph, type Tensor, tensor, writeOnnx } from '@tacit/model'
import { randomUniform } from '../bench/networks.ts'
import { compileModel } from '../src/index.ts'
import { bytesOf, runCompiled } from './run-compiled.ts'

type Case = {
  readonly nodes: readonly OnnxFileNode[]
  readonly initializers: Record<string, Tensor>
  readonly x: Tensor
  readonly y: readonly number[]
}

async function assertSameBits({ nodes, initializers, x, y }: Case, message: string): Promise<void> {
  const graph = await parseOnnx(
    writeOnnx({
      name: 'shapes',
      opset: 21,
      inputs: [{ name: 'x', elementType: 'float32', shape: x.shape }],
      outputs: [{ name: 'y', elementType: 'float32', shape: y }],
      initializers,
      nodes,
    }),
  )
  const expected = bytesOf(Float32Array.from(runGraph(graph, { x })['y']?.data as Float32Array))
  for (const options of [{}, { obfuscate: { seed: message, dummies: 1 } }])
    assert.deepEqual(runCompiled(await compileModel(graph, { profile: 'f32', ...options }), bytesOf(x.data)).output, expected, message)
}

function uniform(seed: number, count: number): Float32Array {
  const random = randomUniform(seed)
  return Float32Array.from({ length: count }, () => 4 * random() - 2)
}

const rowCounts = [1, 2, 3, 4, 5, 7, 8, 9, 17]
const columnCounts = [1, 4, 8, 11, 16, 23, 33, 52, 64, 70]

describe('a product of any shape has the bits of the interpreter', () => {
  for (const depth of [1, 6, 27])
    it(`float32, depth ${depth}`, async () => {
      for (const rows of rowCounts)
        for (const columns of columnCounts) {
          const b = float32([depth, columns], uniform(rows, depth * columns))
          const nodes = [{ operator: 'MatMul', inputs: ['x', 'b'], outputs: ['y'], attributes: {}, name: 'product' }]
          const x = float32([rows, depth], uniform(columns, rows * depth))
          await assertSameBits({ nodes, initializers: { b }, x, y: [rows, columns] }, `${rows} x ${depth} x ${columns}`)
        }
    })

  // Deep enough that not all of B fits into the first-level cache: panels are outermost then.
  for (const depth of [5, 400])
    it(`int8, depth ${depth}`, async () => {
      for (const rows of [1, 7, 8, 9, 17])
        for (const columns of [4, 11, 33, 64]) {
          const b = tensor(
            'int8',
            [depth, columns],
            Int8Array.from(uniform(rows, depth * columns), (value) => value * 63),
          )
          const zero = tensor('int8', [], [0])
          const nodes = [
            { operator: 'DynamicQuantizeLinear', inputs: ['x'], outputs: ['q', 's', 'z'], attributes: {}, name: 'quantise' },
            { operator: 'MatMulInteger', inputs: ['q', 'b', 'z', 'zero'], outputs: ['i'], attributes: {}, name: 'product' },
            { operator: 'Cast', inputs: ['i'], outputs: ['f'], attributes: { to: { integer: 1 } }, name: 'cast' },
            { operator: 'Mul', inputs: ['f', 's'], outputs: ['y'], attributes: {}, name: 'scale' },
          ]
          const x = float32([rows, depth], uniform(columns, rows * depth))
          await assertSameBits({ nodes, initializers: { b, zero }, x, y: [rows, columns] }, `${rows} x ${depth} x ${columns}`)
        }
    })
})

describe('rows of any length, with zeros of both signs, infinities and NaN, have the bits of the interpreter', () => {
  const special = [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1e-40, -1e-40, 88.9, -103.9, 3e38, -3e38, 1]
  for (const operator of ['Softmax', 'LogSoftmax', 'Gelu', 'Exp', 'Sigmoid', 'Tanh', 'Erf'])
    it(operator, async () => {
      for (const size of [1, 2, 3, 4, 5, 12, 15, 16, 17, 19, 33]) {
        const rows = special.length + 4
        const values = uniform(size, rows * size)
        // A row that is one special value throughout, rows with one in the middle, and rows of ordinary numbers.
        for (const [row, value] of special.entries())
          for (let i = 0; i < size; i++) if (row % 2 === 0 || i === size >> 1) values[row * size + i] = value
        const attributes = operator.endsWith('Softmax') ? { axis: { integer: -1 } } : {}
        const nodes = [{ operator, inputs: ['x'], outputs: ['y'], attributes, name: operator }]
        await assertSameBits({ nodes, initializers: {}, x: float32([rows, size], values), y: [rows, size] }, `${operator} of ${size}`)
      }
      // Each special value alone, in a row of its own.
      const values = Float32Array.from(special)
      const nodes = [
        {
          operator,
          inputs: ['x'],
          outputs: ['y'],
          attributes: operator.endsWith('Softmax') ? { axis: { integer: -1 } } : {},
          name: operator,
        },
      ]
      await assertSameBits({ nodes, initializers: {}, x: float32([special.length, 1], values), y: [special.length, 1] }, operator)
    })
})
