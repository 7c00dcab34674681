// Every operator on random shapes and values against onnxruntime. Tolerances are relative to max(1, |expected|): 0 where
// both sides are exact, 2e-6 for float32 arithmetic whose order or last bits may differ.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  mulberry32,
  type OnnxAttributeValue,
  type OnnxFile,
  type OnnxFileNode,
  type Tensor,
  type TensorType,
  tensor,
} from '../src/index.ts'
import { differenceFromOnnxRuntime } from './onnx-oracle.ts'

const arithmetic = 2e-6
const rounds = 6

type Random = {
  next: () => number
  integer: (low: number, high: number) => number
  shape: (rank: number) => number[]
  pick: <T>(items: readonly T[]) => T
}

function randomFrom(seed: number): Random {
  const next = mulberry32(seed)
  const integer = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    integer,
    shape: (rank) => Array.from({ length: rank }, () => integer(1, 5)),
    pick: (items) => items[integer(0, items.length - 1)] as (typeof items)[number],
  }
}

const count = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)
const floats = (random: Random, shape: readonly number[], low = -4, high = 4) =>
  tensor(
    'float32',
    shape,
    Array.from({ length: count(shape) }, () => Math.fround(low + random.next() * (high - low))),
  )
const bytes = (
  random: Random,
  elementType: 'int8' | 'uint8' | 'int32',
  shape: readonly number[],
  low = elementType === 'uint8' ? 0 : -128,
  high = elementType === 'uint8' ? 255 : 127,
) =>
  tensor(
    elementType,
    shape,
    Array.from({ length: count(shape) }, () => random.integer(low, high)),
  )
const int64 = (values: readonly number[]) => tensor('int64', [values.length], values)
const integers = (values: readonly number[]): OnnxAttributeValue => ({ integers: values })
const integer = (value: number): OnnxAttributeValue => ({ integer: value })

/** One node, its run-time inputs and its constant inputs, in input order. */
type Case = {
  readonly operator: string
  readonly inputs: Readonly<Record<string, Tensor>>
  readonly constants?: Readonly<Record<string, Tensor>>
  /** Order of the node's inputs where it is not inputs, then constants. */
  readonly order?: readonly string[]
  readonly attributes?: Readonly<Record<string, OnnxAttributeValue>>
  readonly outputs?: readonly TensorType['elementType'][]
  readonly opset?: number
  readonly domain?: string
}

function fileOf(c: Case): OnnxFile {
  const constants = c.constants ?? {}
  const names = (c.outputs ?? ['float32']).map((_, index) => `y${index}`)
  const node: OnnxFileNode = {
    operator: c.operator,
    inputs: c.order ?? [...Object.keys(c.inputs), ...Object.keys(constants)],
    outputs: names,
    attributes: c.attributes ?? {},
    ...(c.domain === undefined ? {} : { domain: c.domain }),
  }
  return {
    name: 'case',
    opset: c.opset ?? 21,
    inputs: Object.entries(c.inputs).map(([name, { elementType, shape }]) => ({ name, elementType, shape })),
    // No shapes: onnxruntime infers them, and the comparison checks ours against its.
    outputs: names.map((name, index) => ({ name, elementType: (c.outputs ?? ['float32'])[index] ?? 'float32' })),
    initializers: constants,
    nodes: [node],
  }
}

function check(name: string, tolerance: number, make: (random: Random) => Case): void {
  it(`${name} agrees with onnxruntime`, async () => {
    for (let round = 0; round < rounds; round++) {
      const c = make(randomFrom(1000 * round + name.length * 7 + name.charCodeAt(0)))
      const difference = await differenceFromOnnxRuntime(fileOf(c), c.inputs)
      assert.ok(difference <= tolerance, `round ${round}: difference ${difference}; ${JSON.stringify(c.attributes)}`)
    }
  })
}

describe('elementwise operators', () => {
  for (const operator of ['Abs', 'Neg', 'Sign', 'Floor', 'Ceil', 'Round', 'Relu'])
    check(operator, 0, (random) => ({ operator, inputs: { x: floats(random, random.shape(3)) } }))
  for (const operator of [
    'Reciprocal',
    'Exp',
    'Erf',
    'Sigmoid',
    'Tanh',
    'HardSwish',
    'Softplus',
    'Softsign',
    'Mish',
    'Elu',
    'Selu',
    'Celu',
    'LeakyRelu',
    'ThresholdedRelu',
    'HardSigmoid',
  ])
    check(operator, arithmetic, (random) => ({
      operator,
      inputs: { x: floats(random, random.shape(2), 0.1 - 6 * random.integer(0, 1), 6) },
    }))
  for (const operator of ['Sqrt', 'Log'])
    check(operator, arithmetic, (random) => ({ operator, inputs: { x: floats(random, random.shape(2), 0.001, 100) } }))
  check('Gelu', arithmetic, (random) => ({
    operator: 'Gelu',
    inputs: { x: floats(random, random.shape(2)) },
    attributes: { approximate: { text: random.pick(['none', 'tanh']) } },
  }))
  for (const operator of ['Add', 'Sub', 'Mul', 'Div', 'Min', 'Max', 'Pow'])
    check(operator, operator === 'Pow' ? 1e-5 : 0, (random) => {
      const shape = random.shape(3)
      const other = shape.map((size) => random.pick([1, size])).slice(random.integer(0, 2))
      return { operator, inputs: { a: floats(random, shape, operator === 'Pow' ? 0.1 : -4), b: floats(random, other) } }
    })
  for (const operator of ['Add', 'Sub', 'Mul', 'Div'])
    check(`${operator} of int32`, 0, (random) => {
      const shape = random.shape(2)
      return {
        operator,
        inputs: { a: bytes(random, 'int32', shape, -(2 ** 31), 2 ** 31 - 1), b: bytes(random, 'int32', shape, 1, 1000) },
        outputs: ['int32'],
      }
    })
  for (const operator of ['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual'])
    check(operator, 0, (random) => {
      const shape = random.shape(2)
      return { operator, inputs: { a: bytes(random, 'int32', shape, 0, 3), b: bytes(random, 'int32', shape, 0, 3) }, outputs: ['bool'] }
    })
  for (const operator of ['And', 'Or', 'Xor'])
    check(operator, 0, (random) => {
      const shape = random.shape(2)
      const bits = () =>
        tensor(
          'bool',
          shape,
          Array.from({ length: count(shape) }, () => random.integer(0, 1)),
        )
      return { operator, inputs: { a: bits(), b: bits() }, outputs: ['bool'] }
    })
  check('Not', 0, (random) => ({ operator: 'Not', inputs: { x: tensor('bool', [4], [0, 1, random.integer(0, 1), 1]) }, outputs: ['bool'] }))
  check('Sum', arithmetic, (random) => ({
    operator: 'Sum',
    inputs: { a: floats(random, [3, 4]), b: floats(random, [4]), c: floats(random, [3, 1]) },
  }))
  check('Mean', arithmetic, (random) => ({
    operator: 'Mean',
    inputs: { a: floats(random, [3, 4]), b: floats(random, [4]), c: floats(random, [3, 1]) },
  }))
  check('Clip', 0, (random) => ({
    operator: 'Clip',
    inputs: { x: floats(random, random.shape(2)) },
    constants: { min: tensor('float32', [], [-1]), max: tensor('float32', [], [random.integer(0, 3)]) },
  }))
  check('PRelu', arithmetic, (random) => ({
    operator: 'PRelu',
    inputs: { x: floats(random, [2, 3, 4]) },
    constants: { slope: floats(random, [3, 1]) },
  }))
  check('Where', 0, (random) => ({
    operator: 'Where',
    inputs: { c: tensor('bool', [3, 1], [0, 1, random.integer(0, 1)]), a: floats(random, [4]), b: floats(random, [3, 4]) },
  }))
  for (const [to, number] of [
    ['int32', 6],
    ['int8', 3],
    ['uint8', 2],
    ['bool', 9],
    ['int64', 7],
  ] as const)
    check(`Cast to ${to}`, 0, (random) => ({
      operator: 'Cast',
      inputs: { x: floats(random, random.shape(2), to === 'uint8' ? 0 : -100, 100) },
      attributes: { to: integer(number) },
      outputs: [to],
    }))
})

describe('matrix products and convolutions', () => {
  check('MatMul', arithmetic, (random) => {
    const [m, k, n, batch] = [random.integer(1, 6), random.integer(1, 20), random.integer(1, 6), random.integer(1, 3)]
    const a = random.pick([[m, k], [batch, m, k], [k], [2, 1, m, k]])
    const b = random.pick([[k, n], [batch, k, n], [k]])
    return { operator: 'MatMul', inputs: { a: floats(random, a), b: floats(random, b) } }
  })
  check('Gemm', arithmetic, (random) => {
    const [m, k, n, transA, transB] = [
      random.integer(1, 5),
      random.integer(1, 20),
      random.integer(1, 5),
      random.integer(0, 1),
      random.integer(0, 1),
    ]
    const c = random.pick([[n], [m, n], [1, n], [m, 1], []])
    return {
      operator: 'Gemm',
      inputs: { a: floats(random, transA ? [k, m] : [m, k]), b: floats(random, transB ? [n, k] : [k, n]), c: floats(random, c) },
      attributes: {
        transA: integer(transA),
        transB: integer(transB),
        alpha: { float: random.pick([1, 0.5]) },
        beta: { float: random.pick([1, 2]) },
      },
    }
  })
  check('Conv', arithmetic, (random) => {
    const [group, perGroup, filters] = [random.integer(1, 2), random.integer(1, 3), random.integer(1, 2)]
    const [kh, kw] = [random.integer(1, 3), random.integer(1, 3)]
    const dilations = [random.integer(1, 2), random.integer(1, 2)]
    return {
      operator: 'Conv',
      inputs: { x: floats(random, [random.integer(1, 2), group * perGroup, random.integer(5, 8), random.integer(5, 8)]) },
      constants: { w: floats(random, [group * filters, perGroup, kh, kw]), b: floats(random, [group * filters]) },
      attributes: {
        group: integer(group),
        dilations: integers(dilations),
        strides: integers([random.integer(1, 2), random.integer(1, 2)]),
        ...random.pick([{ pads: integers([1, 0, 2, 1]) }, { auto_pad: { text: 'VALID' } }]),
      },
    }
  })
  check('Conv with auto_pad', arithmetic, (random) => ({
    operator: 'Conv',
    inputs: { x: floats(random, [1, 2, random.integer(4, 8), random.integer(4, 8)]) },
    constants: { w: floats(random, [2, 2, random.integer(1, 3), 2]) },
    attributes: {
      auto_pad: { text: random.pick(['SAME_UPPER', 'SAME_LOWER']) },
      strides: integers([random.integer(1, 3), random.integer(1, 2)]),
    },
  }))
  check('Conv over one axis', arithmetic, (random) => ({
    operator: 'Conv',
    inputs: { x: floats(random, [1, 3, 9]) },
    constants: { w: floats(random, [4, 3, 3]) },
    attributes: { pads: integers([random.integer(0, 2), 1]) },
  }))
  for (const operator of ['MaxPool', 'AveragePool'])
    check(operator, operator === 'MaxPool' ? 0 : arithmetic, (random) => ({
      operator,
      inputs: { x: floats(random, [1, 2, random.integer(5, 9), random.integer(5, 9)]) },
      attributes: {
        kernel_shape: integers([2, 3]),
        strides: integers([random.integer(1, 3), random.integer(1, 3)]),
        pads: integers([random.integer(0, 1), 1, random.integer(0, 1), 1]),
        ceil_mode: integer(random.integer(0, 1)),
        ...(operator === 'AveragePool' ? { count_include_pad: integer(random.integer(0, 1)) } : {}),
      },
    }))
  for (const operator of ['GlobalAveragePool', 'GlobalMaxPool'])
    check(operator, arithmetic, (random) => ({ operator, inputs: { x: floats(random, [2, 3, 5, 4]) } }))
})

describe('normalisations and reductions', () => {
  check('BatchNormalization', arithmetic, (random) => ({
    operator: 'BatchNormalization',
    inputs: { x: floats(random, [2, 3, 4]) },
    constants: { scale: floats(random, [3]), bias: floats(random, [3]), mean: floats(random, [3]), variance: floats(random, [3], 0.1, 4) },
  }))
  check('LayerNormalization', 1e-5, (random) => {
    const row = random.integer(2, 40)
    return {
      operator: 'LayerNormalization',
      inputs: { x: floats(random, [2, 3, row]) },
      constants: { scale: floats(random, [row]), bias: floats(random, [row]) },
    }
  })
  for (const operator of ['Softmax', 'LogSoftmax'])
    check(operator, 3e-6, (random) => ({
      operator,
      inputs: { x: floats(random, random.shape(3), -20, 20) },
      attributes: { axis: integer(random.integer(-3, 2)) },
    }))
  for (const operator of ['ReduceSum', 'ReduceMean', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceSumSquare', 'ReduceL2'])
    check(operator, 1e-5, (random) => ({
      operator,
      inputs: { x: floats(random, random.shape(4), 0.5, 2) },
      constants: { axes: int64(random.pick([[0], [1, 2], [-1], [0, 1, 2, 3]])) },
      attributes: { keepdims: integer(random.integer(0, 1)) },
    }))
  for (const operator of ['ArgMax', 'ArgMin'])
    check(operator, 0, (random) => ({
      operator,
      inputs: { x: bytes(random, 'int32', random.shape(3), 0, 4) },
      attributes: { axis: integer(random.integer(-3, 2)), keepdims: integer(random.integer(0, 1)) },
      outputs: ['int64'],
    }))
})

describe('operators that move elements', () => {
  check('Reshape', 0, (random) => ({
    operator: 'Reshape',
    inputs: { x: floats(random, [2, 3, 4]) },
    constants: { shape: int64(random.pick([[-1], [0, -1], [4, 6], [2, 1, 12]])) },
  }))
  check('Flatten', 0, (random) => ({
    operator: 'Flatten',
    inputs: { x: floats(random, random.shape(3)) },
    attributes: { axis: integer(random.integer(0, 3)) },
  }))
  check('Squeeze', 0, (random) => ({
    operator: 'Squeeze',
    inputs: { x: floats(random, [1, 3, 1, 2]) },
    constants: { axes: int64(random.pick([[0], [0, 2], [-2]])) },
  }))
  check('Unsqueeze', 0, (random) => ({
    operator: 'Unsqueeze',
    inputs: { x: floats(random, [3, 2]) },
    constants: { axes: int64(random.pick([[0], [0, 2], [-1]])) },
  }))
  check('Transpose', 0, (random) => ({
    operator: 'Transpose',
    inputs: { x: floats(random, random.shape(4)) },
    attributes: {
      perm: integers(
        random.pick([
          [0, 2, 1, 3],
          [3, 2, 1, 0],
          [1, 3, 0, 2],
        ]),
      ),
    },
  }))
  check('Concat', 0, (random) => ({
    operator: 'Concat',
    inputs: { a: floats(random, [2, 3]), b: floats(random, [2, 3]) },
    attributes: { axis: integer(random.integer(-2, 1)) },
  }))
  check('Split', 0, (random) => ({
    operator: 'Split',
    inputs: { x: floats(random, [2, 7, 2]) },
    constants: {
      split: int64(
        random.pick([
          [3, 4],
          [1, 6],
        ]),
      ),
    },
    attributes: { axis: integer(1) },
    outputs: ['float32', 'float32'],
  }))
  check('Slice', 0, (random) => ({
    operator: 'Slice',
    inputs: { x: floats(random, [6, 7]) },
    constants: {
      starts: int64([random.integer(-8, 8), random.integer(-8, 8)]),
      ends: int64([random.integer(-9, 9), random.integer(-9, 9)]),
      axes: int64([0, 1]),
      steps: int64([random.pick([1, 2, -1, -2]), random.pick([1, 3, -1])]),
    },
  }))
  check('Gather', 0, (random) => ({
    operator: 'Gather',
    inputs: { x: floats(random, [5, 3]), i: tensor('int64', [2, 2], [0, -1, random.integer(-3, 2), 1]) },
    attributes: { axis: integer(random.integer(0, 1)) },
  }))
  check('Expand', 0, (random) => ({
    operator: 'Expand',
    inputs: { x: floats(random, [3, 1]) },
    constants: {
      shape: int64(
        random.pick([
          [3, 4],
          [2, 1, 6],
          [1, 1],
        ]),
      ),
    },
  }))
  check('Tile', 0, (random) => ({
    operator: 'Tile',
    inputs: { x: floats(random, [2, 3]) },
    constants: { repeats: int64([random.integer(1, 3), random.integer(1, 3)]) },
  }))
  check('Pad', 0, (random) => ({
    operator: 'Pad',
    inputs: { x: floats(random, [4, 5]) },
    constants: { pads: int64([random.integer(0, 2), random.integer(-1, 2), random.integer(0, 3), 1]), value: tensor('float32', [], [7]) },
    attributes: { mode: { text: random.pick(['constant', 'edge', 'reflect', 'wrap']) } },
  }))
  check('Identity', 0, (random) => ({ operator: 'Identity', inputs: { x: floats(random, [4, 5]) } }))
  check('Shape', 0, (random) => ({ operator: 'Shape', inputs: { x: floats(random, random.shape(3)) }, outputs: ['int64'] }))
})

describe('quantised operators', () => {
  const scalar = (value: number) => tensor('float32', [], [value])
  check('QuantizeLinear', 0, (random) => {
    const type = random.pick(['int8', 'uint8'] as const)
    return {
      operator: 'QuantizeLinear',
      inputs: { x: floats(random, [3, 8], -10, 10) },
      constants: { scale: scalar(0.05), zero: bytes(random, type, []) },
      outputs: [type],
    }
  })
  check('QuantizeLinear per axis', 0, (random) => ({
    operator: 'QuantizeLinear',
    inputs: { x: floats(random, [3, 8], -10, 10) },
    constants: { scale: floats(random, [3], 0.01, 0.1), zero: bytes(random, 'int8', [3]) },
    attributes: { axis: integer(0) },
    outputs: ['int8'],
  }))
  check('DequantizeLinear', 0, (random) => ({
    operator: 'DequantizeLinear',
    inputs: { x: bytes(random, 'int8', [3, 8]) },
    constants: { scale: floats(random, [8], 0.01, 0.1), zero: bytes(random, 'int8', [8]) },
    attributes: { axis: integer(1) },
  }))
  check('DynamicQuantizeLinear', 0, (random) => ({
    operator: 'DynamicQuantizeLinear',
    inputs: { x: floats(random, [3, 8], random.integer(-10, 0), random.integer(0, 10)) },
    outputs: ['uint8', 'float32', 'uint8'],
  }))
  check('MatMulInteger', 0, (random) => ({
    operator: 'MatMulInteger',
    inputs: {
      a: bytes(random, 'uint8', [3, 30]),
      b: bytes(random, 'int8', [30, 4]),
      za: bytes(random, 'uint8', []),
      zb: bytes(random, 'int8', []),
    },
    outputs: ['int32'],
  }))
  check('ConvInteger', 0, (random) => ({
    operator: 'ConvInteger',
    inputs: { x: bytes(random, 'uint8', [1, 2, 5, 5]) },
    constants: { w: bytes(random, 'uint8', [3, 2, 3, 3]), zx: bytes(random, 'uint8', []), zw: bytes(random, 'uint8', []) },
    attributes: { pads: integers([1, 1, 0, 1]) },
    outputs: ['int32'],
  }))
  check('QLinearMatMul', 0, (random) => ({
    operator: 'QLinearMatMul',
    inputs: { a: bytes(random, 'uint8', [3, 30]) },
    constants: {
      as: scalar(0.02),
      az: bytes(random, 'uint8', []),
      b: bytes(random, 'int8', [30, 4]),
      bs: scalar(0.013),
      bz: tensor('int8', [], [0]),
      ys: scalar(0.31),
      yz: bytes(random, 'uint8', []),
    },
    outputs: ['uint8'],
  }))
  check('QLinearConv', 0, (random) => ({
    operator: 'QLinearConv',
    inputs: { x: bytes(random, 'uint8', [1, 2, 6, 6]) },
    constants: {
      xs: scalar(0.02),
      xz: bytes(random, 'uint8', []),
      w: bytes(random, 'int8', [3, 2, 3, 3]),
      ws: floats(random, [3], 0.01, 0.02),
      wz: tensor('int8', [3], [0, 0, 0]),
      ys: scalar(0.2),
      yz: bytes(random, 'uint8', []),
      b: bytes(random, 'int32', [3], -1000, 1000),
    },
    attributes: { pads: integers([1, 1, 1, 1]), strides: integers([2, 1]) },
    outputs: ['uint8'],
  }))
})

describe('older operator sets', () => {
  check('Softmax before 13', 3e-6, (random) => ({
    operator: 'Softmax',
    inputs: { x: floats(random, random.shape(3)) },
    attributes: { axis: integer(random.integer(0, 2)) },
    opset: 11,
  }))
  check('Squeeze before 13', 0, (random) => ({
    operator: 'Squeeze',
    inputs: { x: floats(random, [1, 3, 1, 2]) },
    attributes: { axes: integers(random.pick([[0], [0, 2]])) },
    opset: 9,
  }))
  check('Unsqueeze before 13', 0, (random) => ({
    operator: 'Unsqueeze',
    inputs: { x: floats(random, [3, 2]) },
    attributes: { axes: integers([0, 2]) },
    opset: 12,
  }))
  check('ReduceSum before 13', 1e-5, (random) => ({
    operator: 'ReduceSum',
    inputs: { x: floats(random, [3, 2, 4]) },
    attributes: { axes: integers([1]) },
    opset: 11,
  }))
  check('ReduceMean before 18', 1e-5, (random) => ({
    operator: 'ReduceMean',
    inputs: { x: floats(random, [3, 2, 4]) },
    attributes: { axes: integers([0, 2]) },
    opset: 13,
  }))
  check('Split before 13', 0, (random) => ({
    operator: 'Split',
    inputs: { x: floats(random, [2, 7]) },
    attributes: { axis: integer(1), split: integers([3, 4]) },
    outputs: ['float32', 'float32'],
    opset: 11,
  }))
  check('Clip before 11', 0, (random) => ({
    operator: 'Clip',
    inputs: { x: floats(random, [3, 4]) },
    attributes: { min: { float: -1 }, max: { float: 2 } },
    opset: 10,
  }))
  check('Pad before 11', 0, (random) => ({
    operator: 'Pad',
    inputs: { x: floats(random, [3, 4]) },
    attributes: { pads: integers([1, 0, 2, 1]), value: { float: 3 }, mode: { text: random.pick(['constant', 'edge', 'reflect']) } },
    opset: 9,
  }))
  check('Slice before 10', 0, (random) => ({
    operator: 'Slice',
    inputs: { x: floats(random, [5, 6]) },
    attributes: { starts: integers([random.integer(-4, 3)]), ends: integers([random.integer(-3, 6)]), axes: integers([1]) },
    opset: 9,
  }))
  check('BatchNormalization of 9', arithmetic, (random) => ({
    operator: 'BatchNormalization',
    inputs: { x: floats(random, [2, 3, 4]) },
    constants: { scale: floats(random, [3]), bias: floats(random, [3]), mean: floats(random, [3]), variance: floats(random, [3], 0.1, 4) },
    opset: 9,
  }))
})

describe('operators that are combinations of others', () => {
  for (const [operator, low, high] of [
    ['Sin', -9, 9],
    ['Cos', -9, 9],
    ['Tan', -1.4, 1.4],
    ['Asin', -1, 1],
    ['Acos', -1, 1],
    ['Atan', -9, 9],
    ['Sinh', -3, 3],
    ['Cosh', -3, 3],
    ['Asinh', -9, 9],
    ['Acosh', 1.1, 9],
    ['Atanh', -0.95, 0.95],
  ] as const)
    check(operator, 2e-6, (random) => ({ operator, inputs: { x: floats(random, random.shape(3), low, high) } }))
  check('CumSum', 1e-5, (random) => {
    const shape = random.shape(3)
    return {
      operator: 'CumSum',
      inputs: { x: floats(random, shape) },
      constants: { axis: tensor('int64', [], [random.integer(-3, 2)]) },
      attributes: { exclusive: integer(random.integer(0, 1)), reverse: integer(random.integer(0, 1)) },
    }
  })
  check('ConvTranspose', 1e-5, (random) => {
    const [group, channels, filters] = [random.integer(1, 2), random.integer(1, 2), random.integer(1, 3)]
    const spatial = random.integer(1, 2)
    const list = (low: number, high: number, length = spatial) => Array.from({ length }, () => random.integer(low, high))
    const kernel = list(1, 3)
    const strides = list(1, 3)
    const attributes = {
      dilations: integers(list(1, 2)),
      strides: integers(strides),
      pads: integers(list(0, 1, 2 * spatial)),
      group: integer(group),
    }
    return {
      operator: 'ConvTranspose',
      inputs: { x: floats(random, [2, group * channels, ...list(3, 5)]) },
      constants: { w: floats(random, [group * channels, filters, ...kernel]), b: floats(random, [group * filters]) },
      attributes: {
        ...attributes,
        output_padding: integers(strides.map((stride) => random.integer(0, stride - 1))),
        kernel_shape: integers(kernel),
      },
    }
  })
  for (const [operator, gates] of [
    ['RNN', 1],
    ['GRU', 3],
    ['LSTM', 4],
  ] as const)
    check(operator, 1e-5, (random) => {
      const direction = random.pick(['forward', 'reverse', 'bidirectional'])
      const [length, batch, size, hidden] = [random.integer(1, 4), random.integer(1, 3), random.integer(1, 4), random.integer(1, 4)]
      const directions = direction === 'bidirectional' ? 2 : 1
      const before = operator === 'GRU' ? { linear_before_reset: integer(random.integer(0, 1)) } : {}
      return {
        operator,
        inputs: { x: floats(random, [length, batch, size], -1, 1) },
        constants: {
          w: floats(random, [directions, gates * hidden, size], -1, 1),
          r: floats(random, [directions, gates * hidden, hidden], -1, 1),
          b: floats(random, [directions, 2 * gates * hidden], -1, 1),
        },
        attributes: { hidden_size: integer(hidden), direction: { text: direction }, ...before },
        outputs: operator === 'LSTM' ? ['float32', 'float32', 'float32'] : ['float32', 'float32'],
      }
    })
  for (const [equation, a, b] of [
    ['bhid,bhjd->bhij', [2, 3, 4, 5], [2, 3, 2, 5]],
    ['ij,jk', [3, 4], [4, 2]],
    ['i,i->', [4], [4]],
    ['bij,kj->bki', [2, 3, 4], [5, 4]],
    ['...ij,...jk->...ik', [2, 3, 4], [2, 4, 5]],
    ['abc,cd->a', [2, 3, 4], [4, 5]],
  ] as const)
    check(`Einsum ${equation}`, 1e-5, (random) => ({
      operator: 'Einsum',
      inputs: { a: floats(random, a), b: floats(random, b) },
      attributes: { equation: { text: equation } },
    }))
  check('TopK', 0, (random) => {
    const shape = random.shape(3)
    const axis = random.integer(0, 2)
    return {
      operator: 'TopK',
      inputs: { x: floats(random, shape) },
      constants: { k: int64([random.integer(1, shape[axis] ?? 1)]) },
      attributes: { axis: integer(axis), largest: integer(random.integer(0, 1)) },
      outputs: ['float32', 'int64'],
    }
  })
  check('ScatterElements', 1e-6, (random) => {
    const shape = random.shape(2)
    const axis = random.integer(0, 1)
    // Equal places are in order with a reduction only.
    const rows = shape.map((size) => random.integer(1, size))
    const indices = Array.from({ length: count(rows) }, () => random.integer(-(shape[axis] ?? 1), (shape[axis] ?? 1) - 1))
    return {
      operator: 'ScatterElements',
      inputs: { x: floats(random, shape) },
      constants: { indices: tensor('int64', rows, indices), updates: floats(random, rows) },
      attributes: { axis: integer(axis), reduction: { text: random.pick(['add', 'min', 'max']) } },
    }
  })
  check('ScatterND and GatherND', 0, (random) => {
    const places = [0, 2, 1].slice(0, random.integer(1, 3))
    const indices = tensor(
      'int64',
      [places.length, 2],
      places.flatMap((row) => [row - 3, random.integer(0, 1)]),
    )
    const operator = random.pick(['ScatterND', 'GatherND'])
    return {
      operator,
      inputs: { x: floats(random, [3, 2, 4]) },
      constants: operator === 'GatherND' ? { indices } : { indices, updates: floats(random, [places.length, 4]) },
    }
  })
  check('LRN', 1e-5, (random) => ({
    operator: 'LRN',
    inputs: { x: floats(random, [2, 5, 3, 2]) },
    attributes: { size: integer(random.pick([1, 3, 5])), alpha: { float: 0.2 }, beta: { float: random.pick([0.5, 0.75]) } },
  }))
  check('Upsample', 0, (random) => ({
    operator: 'Upsample',
    inputs: { x: floats(random, [1, 2, 3, 2]) },
    constants: { scales: tensor('float32', [4], [1, 1, random.integer(1, 3), 2]) },
    opset: 9,
  }))
})

describe('operators of onnxruntime', () => {
  const scalar = (value: number) => tensor('float32', [], [value])
  const zero = (value: number) => tensor('uint8', [], [value])
  // One step of the result.
  for (const operator of ['QLinearAdd', 'QLinearMul'])
    check(operator, 1 / 64, (random) => ({
      operator,
      domain: 'com.microsoft',
      inputs: { a: bytes(random, 'uint8', [3, 4]) },
      constants: {
        aScale: scalar(0.02),
        aZero: zero(120),
        b: bytes(random, 'uint8', [4]),
        bScale: scalar(0.03),
        bZero: zero(7),
        yScale: scalar(0.1),
        yZero: zero(100),
      },
      outputs: ['uint8'],
    }))
  check('QGemm', 1 / 64, (random) => ({
    operator: 'QGemm',
    domain: 'com.microsoft',
    inputs: { a: bytes(random, 'uint8', [3, 4]) },
    constants: {
      aScale: scalar(0.02),
      aZero: zero(128),
      b: bytes(random, 'int8', [2, 4]),
      bScale: scalar(0.03),
      bZero: tensor('int8', [], [0]),
      c: bytes(random, 'int32', [2]),
      yScale: scalar(0.2),
      yZero: zero(100),
    },
    attributes: { transB: integer(1) },
    outputs: ['uint8'],
  }))
  check('SkipLayerNormalization', 1e-5, (random) => ({
    operator: 'SkipLayerNormalization',
    domain: 'com.microsoft',
    inputs: { x: floats(random, [2, 3, 8]), skip: floats(random, [2, 3, 8]) },
    constants: { gamma: floats(random, [8]), beta: floats(random, [8]), bias: floats(random, [8]) },
    attributes: { epsilon: { float: 1e-5 } },
  }))
  check('FusedMatMul', 1e-5, (random) => ({
    operator: 'FusedMatMul',
    domain: 'com.microsoft',
    inputs: { a: floats(random, [2, 3, 4]), b: floats(random, [2, 5, 4]) },
    attributes: { transB: integer(1), alpha: { float: 0.25 } },
  }))
})

describe('quantisation along axes', () => {
  check('QuantizeLinear per channel', 1 / 127, (random) => ({
    operator: 'QuantizeLinear',
    inputs: { x: floats(random, [2, 3, 4]) },
    constants: { scale: floats(random, [3], 0.01, 0.1), zero: bytes(random, 'int8', [3], -5, 5) },
    attributes: { axis: integer(1) },
    outputs: ['int8'],
  }))
  check('DequantizeLinear in blocks', 1e-6, (random) => ({
    operator: 'DequantizeLinear',
    inputs: { x: bytes(random, 'int8', [2, 6]) },
    constants: { scale: floats(random, [2, 3], 0.01, 0.1), zero: bytes(random, 'int8', [2, 3], -5, 5) },
    attributes: { axis: integer(1), block_size: integer(2) },
  }))
})
