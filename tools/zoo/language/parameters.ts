import type { ModelShape } from './config.ts'
import type { Kernel } from './kernel.ts'
import { mulberry32, normal } from './random.ts'

/** A tensor by its GGUF name (without `.weight`): `rows` x `columns`, or a vector when `columns` is absent. */
export type TensorShape = { readonly name: string; readonly rows: number; readonly columns?: number }

/** All weights in one flat array, and each tensor as a view of it. */
export type Parameters = {
  readonly shapes: readonly TensorShape[]
  readonly flat: Float32Array
  readonly tensors: ReadonlyMap<string, Float32Array>
}

/** Every tensor of the model, in file order. The token embedding is also the output matrix. */
export function tensorShapes({ vocabulary, width, layers, feedForward }: ModelShape): readonly TensorShape[] {
  const blocks = Array.from({ length: layers }, (_, layer): readonly TensorShape[] => {
    const matrix = (name: string, rows: number, columns: number): TensorShape => ({ name: `blk.${layer}.${name}`, rows, columns })
    const vector = (name: string): TensorShape => ({ name: `blk.${layer}.${name}`, rows: width })
    return [
      vector('attn_norm'),
      matrix('attn_q', width, width),
      matrix('attn_k', width, width),
      matrix('attn_v', width, width),
      matrix('attn_output', width, width),
      vector('ffn_norm'),
      matrix('ffn_gate', feedForward, width),
      matrix('ffn_up', feedForward, width),
      matrix('ffn_down', width, feedForward),
    ]
  })
  return [{ name: 'token_embd', rows: vocabulary, columns: width }, ...blocks.flat(), { name: 'output_norm', rows: width }]
}

/** How many weights a tensor has. */
export function elementCount({ rows, columns = 1 }: TensorShape): number {
  return rows * columns
}

/** Room for every tensor, all zero. */
export function allocateParameters(kernel: Kernel, shapes: readonly TensorShape[]): Parameters {
  const flat = kernel.allocate(shapes.reduce((sum, shape) => sum + elementCount(shape), 0))
  const tensors = new Map<string, Float32Array>()
  let offset = 0
  for (const shape of shapes) {
    tensors.set(shape.name, flat.subarray(offset, offset + elementCount(shape)))
    offset += elementCount(shape)
  }
  return { shapes, flat, tensors }
}

/** First weights: ones for norms, normal numbers scaled by fan-in, less for what adds to the residual stream. */
export function initialise(parameters: Parameters, layers: number, seed: number): void {
  const random = mulberry32(seed)
  for (const { name, columns } of parameters.shapes) {
    const tensor = tensorOf(parameters, name)
    if (columns === undefined) tensor.fill(1)
    else {
      const residual = /attn_output|ffn_down/.test(name) ? 1 / Math.sqrt(2 * layers) : 1
      const deviation = name === 'token_embd' ? 0.05 : residual / Math.sqrt(columns)
      for (let i = 0; i < tensor.length; i++) tensor[i] = normal(random) * deviation
    }
  }
}

/** The view of one tensor. */
export function tensorOf(parameters: Parameters, name: string): Float32Array {
  const tensor = parameters.tensors.get(name)
  if (tensor === undefined) throw new Error(`No tensor ${name}.`)
  return tensor
}
