// Random small graphs of supported operators, as ONNX files.
import { type OnnxFileNode, parseOnnx, type Graph, type Tensor, tensor, writeOnnx } from '@tacit/model'
import { randomUniform } from '../bench/networks.ts'

export type RandomCase = {
  readonly onnx: Uint8Array<ArrayBuffer>
  readonly graph: Graph
  readonly input: Tensor
  readonly operators: readonly string[]
}

class Writer {
  readonly nodes: OnnxFileNode[] = []
  readonly initializers: Record<string, Tensor> = {}
  readonly random: () => number
  #next = 0

  constructor(seed: number) {
    this.random = randomUniform(seed)
  }

  below(bound: number): number {
    return Math.floor(this.random() * bound)
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0]
  }

  values(shape: readonly number[]): string {
    const name = `c${this.#next++}`
    const count = shape.reduce((product, size) => product * size, 1)
    this.initializers[name] = tensor(
      'float32',
      shape,
      Array.from({ length: count }, () => Math.fround((this.random() - 0.5) * 2)),
    )
    return name
  }

  constant(elementType: Tensor['elementType'], shape: readonly number[], values: Iterable<number>): string {
    const name = `c${this.#next++}`
    this.initializers[name] = tensor(elementType, shape, values)
    return name
  }

  node(operator: string, inputs: readonly string[], attributes: OnnxFileNode['attributes'] = {}): string {
    const output = `v${this.#next++}`
    this.nodes.push({ operator, inputs, outputs: [output], attributes, name: output })
    return output
  }
}

type Value = { readonly name: string; readonly shape: readonly number[] }

const unary: readonly [string, ...string[]] = [
  'Relu',
  'Sigmoid',
  'Tanh',
  'Exp',
  'Erf',
  'Gelu',
  'Abs',
  'Neg',
  'HardSwish',
  'Softplus',
  'LeakyRelu',
  'Elu',
  'HardSigmoid',
  'Floor',
  'Ceil',
  'Sign',
  'Round',
]

function rowStep(writer: Writer, { name, shape }: Value): Value {
  const last = shape.at(-1) ?? 1
  switch (writer.below(21)) {
    case 0: {
      const n = 1 + writer.below(19)
      return { name: writer.node('MatMul', [name, writer.values([last, n])]), shape: [...shape.slice(0, -1), n] }
    }
    case 1: {
      const n = 1 + writer.below(19)
      const product = writer.node('MatMul', [name, writer.values([last, n])])
      const sum = writer.node('Add', [product, writer.values([n])])
      return { name: writer.node('Relu', [sum]), shape: [...shape.slice(0, -1), n] }
    }
    case 2:
      return { name: writer.node(writer.pick(unary), [name]), shape }
    case 3:
      return {
        name: writer.node(writer.pick(['Add', 'Mul', 'Sub', 'Min', 'Max']), [name, writer.values(writer.pick([[last], shape, [1]]))]),
        shape,
      }
    case 4:
      return { name: writer.node('Softmax', [name], { axis: { integer: writer.pick([-1, shape.length - 1, 0]) } }), shape }
    case 5:
      return {
        name: writer.node('LayerNormalization', [name, writer.values([last]), writer.values([last])], {
          axis: { integer: -1 },
          epsilon: { float: 1e-3 },
        }),
        shape,
      }
    case 6: {
      const perm = [...shape.keys()].sort(() => writer.random() - 0.5)
      return { name: writer.node('Transpose', [name], { perm: { integers: perm } }), shape: perm.map((axis) => shape[axis] ?? 1) }
    }
    case 7: {
      const total = shape.reduce((product, size) => product * size, 1)
      const next = writer.pick([[1, total], [total, 1], [...shape].reverse()])
      return { name: writer.node('Reshape', [name, writer.constant('int64', [next.length], next)]), shape: next }
    }
    case 8: {
      const both = writer.node('Concat', [name, writer.values(shape)], { axis: { integer: shape.length - 1 } })
      return { name: both, shape: [...shape.slice(0, -1), 2 * last] }
    }
    case 9: {
      const axis = shape.length - 1
      const operator = writer.pick(['ReduceMax', 'ReduceMean', 'ReduceSum', 'ReduceMin'])
      const reduced = writer.node(operator, [name, writer.constant('int64', [1], [axis])], { keepdims: { integer: 1 } })
      return { name: writer.node('Sub', [name, reduced]), shape }
    }
    case 10: {
      if (last < 2) return { name, shape }
      const bound = (values: readonly number[]) => writer.constant('int64', [1], values)
      const sliced = writer.node('Slice', [name, bound([last - 1]), bound([-9999]), bound([shape.length - 1]), bound([-1])])
      return { name: sliced, shape }
    }
    case 11:
      return { name: writer.node(writer.pick(['Sin', 'Cos', 'Atan', 'Sinh', 'Asinh']), [name]), shape }
    case 12: {
      const flags = { exclusive: { integer: writer.below(2) }, reverse: { integer: writer.below(2) } }
      return { name: writer.node('CumSum', [name, writer.constant('int64', [], [writer.below(shape.length)])], flags), shape }
    }
    case 13: {
      const axis = writer.below(shape.length)
      const k = 1 + writer.below(shape[axis] ?? 1)
      const attributes = { axis: { integer: axis }, largest: { integer: writer.below(2) } }
      const top = `top${writer.nodes.length}`
      writer.nodes.push({
        operator: 'TopK',
        inputs: [name, writer.constant('int64', [1], [k])],
        outputs: [top, `${top}i`],
        attributes,
      })
      return { name: top, shape: shape.with(axis, k) }
    }
    case 14: {
      const above = writer.node('Greater', [name, writer.values(writer.pick([[last], shape, [1]]))])
      return { name: writer.node('Where', [above, name, writer.values([last])]), shape }
    }
    case 15:
      return { name: roundTrip(writer, { name, shape }, writer.below(shape.length)), shape }
    case 16:
      return gemmStep(writer, { name, shape })
    case 17:
      return indexStep(writer, { name, shape })
    case 18:
      return { name: integerStep(writer, name), shape }
    case 19: {
      if (shape.length !== 2) return { name, shape }
      const n = 1 + writer.below(9)
      return {
        name: writer.node('Einsum', [name, writer.values([n, last])], { equation: { text: 'ik,jk->ij' } }),
        shape: [shape[0] ?? 1, n],
      }
    }
    default: {
      const { name: q, node } = dynamicLinear(writer, { name, shape })
      return { name: q, shape: node }
    }
  }
}

/** QuantizeLinear and back, with one scale or one per index of an axis, to 8 or 16 bits. */
function roundTrip(writer: Writer, { name, shape }: Value, axis: number): string {
  const type = writer.pick<Tensor['elementType']>(['int8', 'uint8', 'int16', 'uint16'])
  const count = writer.pick([1, shape[axis] ?? 1])
  const form = count === 1 ? [] : [count]
  const scale = writer.constant(
    'float32',
    form,
    Array.from({ length: count }, () => Math.fround(0.01 + writer.random() * 0.1)),
  )
  const zero = writer.constant(type, form, new Array<number>(count).fill(type.startsWith('u') ? writer.below(200) : 0))
  const attributes = { axis: { integer: axis } }
  return writer.node('DequantizeLinear', [writer.node('QuantizeLinear', [name, scale, zero], attributes), scale, zero], attributes)
}

/** A Gemm with any transpositions and any C. */
function gemmStep(writer: Writer, { name, shape }: Value): Value {
  const [m = 1, k = 1] = shape
  if (shape.length !== 2) return { name, shape }
  const n = 1 + writer.below(9)
  const [transA, transB] = [writer.below(2), writer.below(2)]
  const left = transA === 1 ? writer.node('Transpose', [name], { perm: { integers: [1, 0] } }) : name
  const right = writer.values(transB === 1 ? [n, k] : [k, n])
  const attributes = {
    alpha: { float: writer.pick([1, 0.5]) },
    beta: { float: writer.pick([1, 2]) },
    transA: { integer: transA },
    transB: { integer: transB },
  }
  return { name: writer.node('Gemm', [left, right, writer.values(writer.pick([[m, n], [m, 1], [n], [1]]))], attributes), shape: [m, n] }
}

/** Elements gathered or scattered at computed places. */
function indexStep(writer: Writer, { name, shape }: Value): Value {
  const axis = writer.below(shape.length)
  const size = shape[axis] ?? 1
  const places = shape.with(axis, 1 + writer.below(size))
  const count = places.reduce((product, length) => product * length, 1)
  const indices = writer.constant(
    'int64',
    places,
    Array.from({ length: count }, () => writer.below(2 * size) - size),
  )
  const attributes = { axis: { integer: axis } }
  if (writer.random() < 0.5) return { name: writer.node('GatherElements', [name, indices], attributes), shape: places }
  const reduction = { ...attributes, reduction: { text: writer.pick(['add', 'max', 'min']) } }
  return { name: writer.node('ScatterElements', [name, indices, writer.values(places)], reduction), shape }
}

/** Through integers and back. */
function integerStep(writer: Writer, name: string): string {
  const type = writer.pick([6, 7])
  const scaled = writer.node('Mul', [name, writer.constant('float32', [], [10])])
  const whole = writer.node('Cast', [scaled], { to: { integer: type } })
  const other = writer.constant(type === 6 ? 'int32' : 'int64', [], [writer.pick([-3, -1, 2, 7])])
  return writer.node('Cast', [writer.node(writer.pick(['Div', 'Max', 'Sub', 'Mul']), [whole, other])], { to: { integer: 1 } })
}

function dynamicLinear(writer: Writer, { name, shape }: Value): { readonly name: string; readonly node: readonly number[] } {
  const [k, n] = [shape.at(-1) ?? 1, 1 + writer.below(12)]
  const prefix = `q${writer.nodes.length}`
  writer.nodes.push({ operator: 'DynamicQuantizeLinear', inputs: [name], outputs: [`${prefix}y`, `${prefix}s`, `${prefix}z`] })
  const weights = writer.constant(
    'int8',
    [k, n],
    Array.from({ length: k * n }, () => writer.below(255) - 127),
  )
  const product = writer.node('MatMulInteger', [`${prefix}y`, weights, `${prefix}z`, writer.constant('int8', [], [0])])
  const float = writer.node('Cast', [product], { to: { integer: 1 } })
  const scale = writer.node('Mul', [`${prefix}s`, writer.constant('float32', [], [0.01])])
  return { name: writer.node('Mul', [float, scale]), node: [...shape.slice(0, -1), n] }
}

function imageStep(writer: Writer, { name, shape }: Value): Value {
  const [n = 1, c = 1, h = 1, w = 1] = shape
  const size = (input: number, kernel: number, pad: number, stride: number): number => Math.floor((input + 2 * pad - kernel) / stride) + 1
  switch (writer.below(10)) {
    case 6:
      return transposedConvolution(writer, { name, shape })
    case 7:
      return { name: roundTrip(writer, { name, shape }, 1), shape }
    case 8:
      return { name: writer.node('LRN', [name], { size: { integer: 1 + 2 * writer.below(3) }, alpha: { float: 0.1 } }), shape }
    case 9:
      return volumeStep(writer, { name, shape })
    case 0:
    case 1: {
      const group = writer.pick([1, 1, c])
      // Sixteen channels are what obfuscated builds permute.
      const m = group === 1 && writer.random() < 0.4 ? 16 : group * (1 + writer.below(7))
      const [kernel, stride, pad] = [writer.pick([1, 3, 3]), writer.pick([1, 1, 2]), writer.pick([0, 1])]
      if (Math.min(h, w) + 2 * pad < kernel) return { name, shape }
      const attributes = {
        kernel_shape: { integers: [kernel, kernel] },
        pads: { integers: [pad, pad, pad, pad] },
        strides: { integers: [stride, stride] },
        group: { integer: group },
      }
      const conv = writer.node('Conv', [name, writer.values([m, c / group, kernel, kernel]), writer.values([m])], attributes)
      const output = writer.random() < 0.5 ? writer.node('Relu', [conv]) : conv
      return { name: output, shape: [n, m, size(h, kernel, pad, stride), size(w, kernel, pad, stride)] }
    }
    case 2: {
      if (Math.min(h, w) < 2) return { name, shape }
      const pad = writer.pick([0, 1])
      const attributes = { kernel_shape: { integers: [2, 2] }, strides: { integers: [2, 2] }, pads: { integers: [pad, pad, pad, pad] } }
      return {
        name: writer.node(writer.pick(['MaxPool', 'AveragePool']), [name], attributes),
        shape: [n, c, size(h, 2, pad, 2), size(w, 2, pad, 2)],
      }
    }
    case 3: {
      const parameters = [
        writer.values([c]),
        writer.values([c]),
        writer.values([c]),
        writer.constant(
          'float32',
          [c],
          Array.from({ length: c }, () => 0.5 + writer.random()),
        ),
      ]
      return { name: writer.node('BatchNormalization', [name, ...parameters]), shape }
    }
    case 4:
      return { name: writer.node(writer.pick(unary), [name]), shape }
    default:
      return { name: writer.node('Add', [name, writer.values([c, 1, 1])]), shape }
  }
}

function transposedConvolution(writer: Writer, { name, shape }: Value): Value {
  const [n = 1, c = 1, h = 1, w = 1] = shape
  if (h > 12 || w > 12) return { name, shape }
  const group = writer.pick([1, c])
  const m = 1 + writer.below(4)
  const [kernel, stride, pad] = [2 + writer.below(2), 1 + writer.below(2), writer.below(2)]
  const attributes = {
    kernel_shape: { integers: [kernel, kernel] },
    strides: { integers: [stride, stride] },
    pads: { integers: [pad, pad, 0, 0] },
    group: { integer: group },
  }
  const size = (input: number): number => (input - 1) * stride + kernel - pad
  const output = writer.node('ConvTranspose', [name, writer.values([c, m, kernel, kernel]), writer.values([m * group])], attributes)
  return { name: output, shape: [n, m * group, size(h), size(w)] }
}

/** Channels as a third spatial axis: a convolution or a pool over it, then back. */
function volumeStep(writer: Writer, { name, shape }: Value): Value {
  const [n = 1, c = 1, h = 1, w = 1] = shape
  const five = [n, 1, c, h, w]
  const volume = writer.node('Reshape', [name, writer.constant('int64', [5], five)])
  const window = { kernel_shape: { integers: [2, 3, 3] }, pads: { integers: [1, 1, 1, 0, 1, 1] } }
  const operator = writer.pick(['Conv', 'MaxPool', 'AveragePool'])
  const filters = operator === 'Conv' ? 1 + writer.below(3) : 1
  const inputs = operator === 'Conv' ? [volume, writer.values([filters, 1, 2, 3, 3]), writer.values([filters])] : [volume]
  const result = writer.node(operator, inputs, window)
  const next = [n, filters * c, h, w]
  return { name: writer.node('Reshape', [result, writer.constant('int64', [4], next)]), shape: next }
}

/** A chain of up to `steps` random operators over rows or images. */
export async function randomCase(seed: number, steps = 5): Promise<RandomCase> {
  const writer = new Writer(seed)
  const isImage = writer.random() < 0.4
  const start = isImage
    ? [1 + writer.below(2), 1 + writer.below(6), 3 + writer.below(8), 3 + writer.below(8)]
    : [1 + writer.below(6), 1 + writer.below(21)]
  let value: Value = { name: 'x', shape: start }
  for (let i = 0; i < steps; i++) value = isImage && value.shape.length === 4 ? imageStep(writer, value) : rowStep(writer, value)
  if (isImage)
    value = {
      name: writer.node('Flatten', [value.name]),
      shape: [value.shape[0] ?? 1, value.shape.slice(1).reduce((product, size) => product * size, 1)],
    }
  writer.nodes.push({ operator: 'Identity', inputs: [value.name], outputs: ['y'] })
  const onnx = writeOnnx({
    name: `random ${seed}`,
    opset: 21,
    inputs: [{ name: 'x', elementType: 'float32', shape: start }],
    outputs: [{ name: 'y', elementType: 'float32', shape: value.shape }],
    initializers: writer.initializers,
    nodes: writer.nodes,
  })
  const count = start.reduce((product, size) => product * size, 1)
  const input = tensor(
    'float32',
    start,
    Array.from({ length: count }, () => Math.fround((writer.random() - 0.5) * 4)),
  )
  return { onnx, graph: await parseOnnx(onnx), input, operators: writer.nodes.map(({ operator }) => operator) }
}
