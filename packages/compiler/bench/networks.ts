// The networks of the benchmark as ONNX files with seeded random weights: what they compute does not matter, their shapes do.
import { type OnnxFileNode, type Tensor, tensor, writeOnnx } from '@tacit/model'

/** A network and the values of its input. */
export type BenchNetwork = { readonly name: string; readonly onnx: Uint8Array<ArrayBuffer>; readonly input: Tensor }

/** mulberry32: a small public-domain generator, uniform in [0, 1). */
export function randomUniform(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Approximately normal values with the given deviation. */
function normal(random: () => number, count: number, deviation: number): Float32Array {
  return Float32Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()))
    return radius * Math.cos(2 * Math.PI * random()) * deviation
  })
}

class NetworkWriter {
  readonly initializers: Record<string, Tensor> = {}
  readonly nodes: OnnxFileNode[] = []
  readonly random: () => number

  constructor(seed: number) {
    this.random = randomUniform(seed)
  }

  weights(name: string, shape: readonly number[], fan: number): string {
    const count = shape.reduce((product, size) => product * size, 1)
    this.initializers[name] = { elementType: 'float32', shape, data: normal(this.random, count, 1 / Math.sqrt(fan)) }
    return name
  }

  constant(name: string, elementType: Tensor['elementType'], shape: readonly number[], values: Iterable<number>): string {
    this.initializers[name] = tensor(elementType, shape, values)
    return name
  }

  node(operator: string, inputs: readonly string[], output: string, attributes: OnnxFileNode['attributes'] = {}): string {
    this.nodes.push({ operator, inputs, outputs: [output], attributes, name: `${operator} ${output}` })
    return output
  }

  /** Symmetric int8 weights of a float matrix, and their scale. */
  quantized(
    name: string,
    source: string,
  ): { readonly weights: string; readonly scale: string; readonly zero: string; readonly scaleValue: number } {
    const { data, shape } = this.initializers[source] ?? tensor('float32', [0], [])
    const values = Array.from(data, Number)
    const scaleValue = Math.fround(values.reduce((best, value) => Math.max(best, Math.abs(value)), 0) / 127)
    const weights = this.constant(
      `${name}_q`,
      'int8',
      shape,
      values.map((value) => Math.max(-127, Math.min(127, Math.round(value / scaleValue)))),
    )
    delete this.initializers[source]
    return {
      weights,
      scale: this.constant(`${name}_s`, 'float32', [], [scaleValue]),
      zero: this.constant(`${name}_z`, 'int8', [], [0]),
      scaleValue,
    }
  }

  /** DynamicQuantizeLinear, MatMulInteger and what makes floats of it again. */
  dynamicLinear(x: string, name: string, { weights, bias }: { weights: string; bias: string }): string {
    const { weights: q, scale, zero } = this.quantized(name, weights)
    this.nodes.push({
      operator: 'DynamicQuantizeLinear',
      inputs: [x],
      outputs: [`${name}_xq`, `${name}_xs`, `${name}_xz`],
      name: `quantise ${name}`,
    })
    this.node('MatMulInteger', [`${name}_xq`, q, `${name}_xz`, zero], `${name}_i`)
    this.node('Cast', [`${name}_i`], `${name}_f`, { to: { integer: 1 } })
    this.node('Mul', [`${name}_xs`, scale], `${name}_sc`)
    this.node('Mul', [`${name}_f`, `${name}_sc`], `${name}_m`)
    return this.node('Add', [`${name}_m`, bias], `${name}_y`)
  }

  finish(
    name: string,
    { inputShape, output, outputShape }: { inputShape: readonly number[]; output: string; outputShape: readonly number[] },
  ): BenchNetwork {
    this.nodes.push({ operator: 'Identity', inputs: [output], outputs: ['y'], name: 'answer' })
    const onnx = writeOnnx({
      name,
      opset: 21,
      inputs: [{ name: 'x', elementType: 'float32', shape: inputShape }],
      outputs: [{ name: 'y', elementType: 'float32', shape: outputShape }],
      initializers: this.initializers,
      nodes: this.nodes,
    })
    const count = inputShape.reduce((product, size) => product * size, 1)
    return { name, onnx, input: { elementType: 'float32', shape: inputShape, data: normal(randomUniform(99), count, 0.7) } }
  }
}

const mlpSizes = [784, 512, 256, 10]

/** 784-512-256-10 (or other sizes) with ReLU, batch 1. */
export function mlp(type: 'f32' | 'int8', sizes: readonly number[] = mlpSizes): BenchNetwork {
  const net = new NetworkWriter(7)
  let x = 'x'
  for (let i = 0; i + 1 < sizes.length; i++) {
    const [k = 1, n = 1] = [sizes[i], sizes[i + 1]]
    const parameters = { weights: net.weights(`w${i}`, [k, n], k), bias: net.weights(`b${i}`, [n], 100) }
    x = type === 'f32' ? net.node('Gemm', [x, parameters.weights, parameters.bias], `h${i}`) : net.dynamicLinear(x, `l${i}`, parameters)
    if (i + 2 < sizes.length) x = net.node('Relu', [x], `r${i}`)
  }
  return net.finish(`mlp.${type}`, { inputShape: [1, sizes[0] ?? 1], output: x, outputShape: [1, sizes.at(-1) ?? 1] })
}

/** The same network with static quantisation: QLinearMatMul. */
export function mlpStatic(): BenchNetwork {
  const net = new NetworkWriter(7)
  net.constant('xs', 'float32', [], [0.03])
  net.constant('xz', 'uint8', [], [128])
  let x = net.node('QuantizeLinear', ['x', 'xs', 'xz'], 'xq')
  let [scale, zero] = ['xs', 'xz']
  for (let i = 0; i < 3; i++) {
    const [k = 1, n = 1] = [mlpSizes[i], mlpSizes[i + 1]]
    const { weights, scale: ws, zero: wz } = net.quantized(`l${i}`, net.weights(`w${i}`, [k, n], k))
    net.constant(`ys${i}`, 'float32', [], [0.03])
    net.constant(`yz${i}`, 'uint8', [], [i < 2 ? 0 : 128])
    x = net.node('QLinearMatMul', [x, scale, zero, weights, ws, wz, `ys${i}`, `yz${i}`], `c${i}`)
    ;[scale, zero] = [`ys${i}`, `yz${i}`]
  }
  return net.finish('mlp.static', {
    inputShape: [1, 784],
    output: net.node('DequantizeLinear', [x, scale, zero], 'd'),
    outputShape: [1, 10],
  })
}

const cnnChannels = [3, 16, 32, 64]

/** 3x32x32, three times conv 3x3, ReLU, max pool; a dense layer to 10. */
export function cnn(type: 'f32' | 'int8'): BenchNetwork {
  const net = new NetworkWriter(8)
  const conv = { kernel_shape: { integers: [3, 3] }, pads: { integers: [1, 1, 1, 1] }, strides: { integers: [1, 1] } }
  const pool = { kernel_shape: { integers: [2, 2] }, strides: { integers: [2, 2] } }
  let x = 'x'
  let [scale, zero] = ['xs', 'xz']
  let scaleValue = Math.fround(0.03)
  if (type === 'int8') {
    net.constant('xs', 'float32', [], [scaleValue])
    net.constant('xz', 'uint8', [], [128])
    x = net.node('QuantizeLinear', ['x', 'xs', 'xz'], 'xq')
  }
  for (let i = 0; i < 3; i++) {
    const [c = 1, n = 1] = [cnnChannels[i], cnnChannels[i + 1]]
    const [w, b] = [net.weights(`w${i}`, [n, c, 3, 3], 9 * c), net.weights(`b${i}`, [n], 100)]
    if (type === 'f32') x = net.node('Relu', [net.node('Conv', [x, w, b], `c${i}`, conv)], `r${i}`)
    else {
      const quantized = net.quantized(`l${i}`, w)
      const floats = net.initializers[b]?.data as Float32Array // `weights` made it
      const bias = Array.from(floats, (value) => Math.round(value / (scaleValue * quantized.scaleValue)))
      delete net.initializers[b]
      net.constant(`bq${i}`, 'int32', [n], bias)
      scaleValue = Math.fround(0.02)
      net.constant(`ys${i}`, 'float32', [], [scaleValue])
      net.constant(`yz${i}`, 'uint8', [], [0])
      x = net.node(
        'QLinearConv',
        [x, scale, zero, quantized.weights, quantized.scale, quantized.zero, `ys${i}`, `yz${i}`, `bq${i}`],
        `c${i}`,
        conv,
      )
      ;[scale, zero] = [`ys${i}`, `yz${i}`]
    }
    x = net.node('MaxPool', [x], `p${i}`, pool)
  }
  if (type === 'int8') x = net.node('DequantizeLinear', [x, scale, zero], 'd')
  x = net.node('Flatten', [x], 'fl')
  x = net.node('Gemm', [x, net.weights('wf', [1024, 10], 1024), net.weights('bf', [10], 100)], 'g')
  return net.finish(`cnn.${type}`, { inputShape: [1, 3, 32, 32], output: x, outputShape: [1, 10] })
}

/** One pre-norm block: d 256, 4 heads, 64 tokens, MLP of 1024 with Gelu. */
export function transformer(type: 'f32' | 'int8'): BenchNetwork {
  const [d, heads, tokens] = [256, 4, 64]
  const net = new NetworkWriter(9)
  const linear = (x: string, name: string, [k, n]: readonly [number, number]): string => {
    const parameters = { weights: net.weights(`w${name}`, [k, n], k), bias: net.weights(`b${name}`, [n], 100) }
    if (type === 'int8') return net.dynamicLinear(x, name, parameters)
    return net.node('Add', [net.node('MatMul', [x, parameters.weights], `${name}_mm`), parameters.bias], `${name}_y`)
  }
  const layerNorm = (x: string, name: string): string => {
    net.constant(
      `g${name}`,
      'float32',
      [d],
      Array.from({ length: d }, () => 1 + 0.1 * (net.random() - 0.5)),
    )
    net.constant(
      `be${name}`,
      'float32',
      [d],
      Array.from({ length: d }, () => 0.1 * (net.random() - 0.5)),
    )
    return net.node('LayerNormalization', [x, `g${name}`, `be${name}`], name, { axis: { integer: -1 }, epsilon: { float: 1e-5 } })
  }
  const qkv = linear(layerNorm('x', 'ln1'), 'qkv', [d, 3 * d])
  net.nodes.push({
    operator: 'Split',
    inputs: [qkv],
    outputs: ['q', 'k', 'v'],
    attributes: { axis: { integer: -1 }, num_outputs: { integer: 3 } },
    name: 'split',
  })
  net.constant('shape4', 'int64', [4], [1, tokens, heads, d / heads])
  net.constant('shape3', 'int64', [3], [1, tokens, d])
  net.constant('scale', 'float32', [], [1 / Math.sqrt(d / heads)])
  const transposes: readonly (readonly [string, readonly number[]])[] = [
    ['q', [0, 2, 1, 3]],
    ['k', [0, 2, 3, 1]],
    ['v', [0, 2, 1, 3]],
  ]
  for (const [name, perm] of transposes)
    net.node('Transpose', [net.node('Reshape', [name, 'shape4'], `${name}r`)], `${name}t`, { perm: { integers: perm } })
  const scores = net.node('Mul', [net.node('MatMul', ['qt', 'kt'], 's0'), 'scale'], 's1')
  const attended = net.node('MatMul', [net.node('Softmax', [scores], 'pr', { axis: { integer: -1 } }), 'vt'], 'at')
  const joined = net.node('Reshape', [net.node('Transpose', [attended], 'att', { perm: { integers: [0, 2, 1, 3] } }), 'shape3'], 'ar')
  const x1 = net.node('Add', ['x', linear(joined, 'po', [d, d])], 'x1')
  const hidden = net.node('Gelu', [linear(layerNorm(x1, 'ln2'), 'f1', [d, 4 * d])], 'ge')
  const y = net.node('Add', [x1, linear(hidden, 'f2', [4 * d, d])], 'x2')
  return net.finish(`transformer.${type}`, { inputShape: [1, tokens, d], output: y, outputShape: [1, tokens, d] })
}
