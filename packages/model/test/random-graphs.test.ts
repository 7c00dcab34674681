// Random networks made of supported operators, against onnxruntime. Values stay of order one, so a difference of 1e-4 relative
// to max(1, |expected|) after up to twelve operators is rounding; anything wrong is far larger.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { float32, mulberry32, type OnnxFile, type OnnxFileNode, type Tensor, tensor } from '../src/index.ts'
import { differenceFromOnnxRuntime } from './onnx-oracle.ts'

const tolerance = 1e-4
const graphs = 60

/** Grows a network value by value; every value is a float tensor of rank 2 to 4. */
class RandomNetwork {
  readonly #next: () => number
  readonly nodes: OnnxFileNode[] = []
  readonly initializers: Record<string, Tensor> = {}
  readonly values: { name: string; shape: number[] }[]
  #count = 0

  constructor(seed: number) {
    this.#next = mulberry32(seed)
    this.values = [{ name: 'x', shape: [this.#integer(1, 2), 4, this.#integer(3, 6), this.#integer(3, 6)] }]
  }

  grow(): void {
    const value = this.#pick(this.values)
    const steps = [this.#activation, this.#residual, this.#movement, this.#normalization, this.#product, this.#reduction]
    if (value.shape.length === 4) steps.push(this.#convolution, this.#pooling)
    this.#pick(steps).call(this, value)
  }

  file(): OnnxFile {
    const outputs = this.values.slice(-2)
    return {
      name: 'random',
      opset: 21,
      inputs: [{ name: 'x', elementType: 'float32', shape: this.values[0]?.shape ?? [] }],
      outputs: outputs.filter(({ name }) => name !== 'x').map(({ name }) => ({ name, elementType: 'float32' })),
      initializers: this.initializers,
      nodes: this.nodes,
    }
  }

  input(): Tensor {
    return this.#floats(this.values[0]?.shape ?? [])
  }

  #activation({ name, shape }: { name: string; shape: number[] }): void {
    this.#add(
      this.#pick(['Relu', 'Sigmoid', 'Tanh', 'Gelu', 'HardSwish', 'Erf', 'Elu', 'Softplus', 'LeakyRelu', 'Neg', 'Abs']),
      [name],
      shape,
    )
  }

  #residual({ name, shape }: { name: string; shape: number[] }): void {
    const partner = this.#pick(this.values.filter((other) => other.shape.join() === shape.join()))
    const operator = this.#pick(['Add', 'Sub', 'Mul', 'Min', 'Max'])
    if (this.#next() < 0.5) this.#add(operator, [name, partner.name], shape)
    else this.#add(operator, [name, this.#constant(this.#floats(shape.map((size) => (this.#next() < 0.5 ? 1 : size))))], shape)
  }

  #movement({ name, shape }: { name: string; shape: number[] }): void {
    const choice = this.#integer(0, 4)
    if (choice === 0) {
      const perm = shape.map((_, axis) => axis).reverse()
      this.#add(
        'Transpose',
        [name],
        perm.map((axis) => shape[axis] ?? 1),
        { perm: { integers: perm } },
      )
    } else if (choice === 1) {
      const rows = shape[0] ?? 1
      const rest = shape.slice(1).reduce((a, b) => a * b, 1)
      this.#add('Reshape', [name, this.#int64([rows, -1])], [rows, rest])
    } else if (choice === 2) {
      const axis = this.#integer(0, shape.length - 1)
      this.#add('Concat', [name, name], shape.with(axis, 2 * (shape[axis] ?? 1)), { axis: { integer: axis } })
    } else if (choice === 3) {
      const axis = this.#integer(0, shape.length - 1)
      const size = shape[axis] ?? 1
      const inputs = [name, this.#int64([size - 1]), this.#int64([-size - 1]), this.#int64([axis]), this.#int64([-1])]
      this.#add('Slice', inputs, shape)
    } else {
      const pads = [...shape, ...shape].map(() => this.#integer(0, 1))
      this.#add(
        'Pad',
        [name, this.#int64(pads)],
        shape.map((size, axis) => size + (pads[axis] ?? 0) + (pads[axis + shape.length] ?? 0)),
      )
    }
  }

  #normalization({ name, shape }: { name: string; shape: number[] }): void {
    const row = shape.at(-1) ?? 1
    if (this.#next() < 0.5) this.#add('Softmax', [name], shape, { axis: { integer: this.#integer(0, shape.length - 1) } })
    else
      this.#add('LayerNormalization', [name, this.#constant(this.#floats([row])), this.#constant(this.#floats([row]))], shape, {
        epsilon: { float: 0.01 },
      })
  }

  #product({ name, shape }: { name: string; shape: number[] }): void {
    const [k, n] = [shape.at(-1) ?? 1, this.#integer(1, 8)]
    const weights = this.#constant(this.#floats([k, n], 1 / Math.sqrt(k)))
    if (shape.length === 2 && this.#next() < 0.7) this.#add('Gemm', [name, weights, this.#constant(this.#floats([n]))], [shape[0] ?? 1, n])
    else this.#add('MatMul', [name, weights], shape.with(-1, n))
  }

  #reduction({ name, shape }: { name: string; shape: number[] }): void {
    const axis = this.#integer(0, shape.length - 1)
    this.#add(this.#pick(['ReduceMean', 'ReduceMax', 'ReduceMin']), [name, this.#int64([axis])], shape.with(axis, 1))
  }

  #convolution({ name, shape }: { name: string; shape: number[] }): void {
    const [batch = 1, channels = 1, height = 1, width = 1] = shape
    const group = channels % 2 === 0 && this.#next() < 0.3 ? 2 : 1
    const filters = 2 * this.#integer(1, 3)
    const weights = this.#constant(this.#floats([filters, channels / group, 3, 3], 1 / Math.sqrt((channels / group) * 9)))
    const attributes = { pads: { integers: [1, 1, 1, 1] }, group: { integer: group } }
    this.#add('Conv', [name, weights, this.#constant(this.#floats([filters]))], [batch, filters, height, width], attributes)
  }

  #pooling({ name, shape }: { name: string; shape: number[] }): void {
    const [batch = 1, channels = 1, height = 1, width = 1] = shape
    if (height < 2 || width < 2) return
    const attributes = { kernel_shape: { integers: [2, 2] }, strides: { integers: [2, 2] } }
    this.#add(this.#pick(['MaxPool', 'AveragePool']), [name], [batch, channels, Math.floor(height / 2), Math.floor(width / 2)], attributes)
  }

  #add(operator: string, inputs: readonly string[], shape: number[], attributes: OnnxFileNode['attributes'] = {}): void {
    const name = `v${this.#count++}`
    this.nodes.push({ operator, inputs, outputs: [name], attributes })
    this.values.push({ name, shape })
  }

  #constant(value: Tensor): string {
    const name = `c${this.#count++}`
    this.initializers[name] = value
    return name
  }

  #int64(values: readonly number[]): string {
    return this.#constant(tensor('int64', [values.length], values))
  }

  #floats(shape: readonly number[], scale = 1): Tensor {
    const count = shape.reduce((a, b) => a * b, 1)
    return float32(
      shape,
      Array.from({ length: count }, () => (2 * this.#next() - 1) * scale),
    )
  }

  #integer(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1))
  }

  #pick<Item>(items: readonly Item[]): Item {
    const item = items[this.#integer(0, items.length - 1)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }
}

it(`agrees with onnxruntime on ${graphs} random networks`, async () => {
  for (let seed = 1; seed <= graphs; seed++) {
    const network = new RandomNetwork(seed)
    while (network.nodes.length < 12) network.grow()
    const difference = await differenceFromOnnxRuntime(network.file(), { x: network.input() })
    assert.ok(difference <= tolerance, `seed ${seed}: ${difference}; ${network.nodes.map((node) => node.operator).join(' ')}`)
  }
})
