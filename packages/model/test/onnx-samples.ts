// Test support: small valid ONNX files to damage.
import { readFileSync } from 'node:fs'
import { float32, mulberry32, type OnnxFile, type OnnxFileNode, tensor, writeOnnx } from '../src/index.ts'

const zoo = new URL('../../../zoo/digits/', import.meta.url)

const node = (operator: string, inputs: readonly string[], output: string, attributes: OnnxFileNode['attributes'] = {}): OnnxFileNode => ({
  operator,
  inputs,
  outputs: [output],
  attributes,
})

/** A network with convolution, pooling, normalisation, reshapes by constant arithmetic, and softmax. */
export const mixedFile: OnnxFile = {
  name: 'mixed',
  opset: 21,
  inputs: [{ name: 'x', elementType: 'float32', shape: ['batch', 2, 6, 6] }],
  outputs: [{ name: 'y', elementType: 'float32', shape: ['batch', 4] }],
  initializers: {
    w: float32(
      [3, 2, 3, 3],
      Array.from({ length: 54 }, (_, i) => (i % 7) - 3),
    ),
    b: float32([3], [1, 2, 3]),
    minusOne: tensor('int64', [1], [-1]),
    d: float32(
      [12, 4],
      Array.from({ length: 48 }, (_, i) => (i % 5) - 2),
    ),
    g: float32([4], [1, 1, 1, 1]),
    axis: tensor('int64', [1], [0]),
  },
  nodes: [
    node('Conv', ['x', 'w', 'b'], 'c', { kernel_shape: { integers: [3, 3] } }),
    node('Relu', ['c'], 'r'),
    node('MaxPool', ['r'], 'p', { kernel_shape: { integers: [2, 2] }, strides: { integers: [2, 2] } }),
    node('Shape', ['x'], 'shape'),
    node('Gather', ['shape', 'axis'], 'n'),
    node('Concat', ['n', 'minusOne'], 'target', { axis: { integer: 0 } }),
    node('Reshape', ['p', 'target'], 'f'),
    node('MatMul', ['f', 'd'], 'm'),
    node('LayerNormalization', ['m', 'g'], 'l', { axis: { integer: -1 }, epsilon: { float: 1e-5 } }),
    node('Softmax', ['l'], 'y'),
  ],
}

/** Files that parse, with the options they need. */
export function sampleFiles(): Uint8Array[] {
  return [
    writeOnnx(mixedFile),
    ...['digits-relu.onnx', 'digits-relu.int8.onnx', 'digits-square.int8.onnx'].map((name) =>
      Uint8Array.from(readFileSync(new URL(name, zoo))),
    ),
  ]
}

/** Damages a file: flips bits, cuts, inserts, repeats or exchanges parts; sometimes makes bytes up. */
export function mutate(file: Uint8Array, seed: number): Uint8Array {
  const random = mulberry32(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  if (random() < 0.05) return Uint8Array.from({ length: below(200) }, () => below(256))
  let bytes = Uint8Array.from(file)
  for (let round = below(4); round >= 0; round--) {
    const at = below(bytes.length)
    const kind = below(6)
    if (kind <= 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8))
    else if (kind === 2) bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)] ?? 0
    else if (kind === 3) bytes = bytes.slice(0, at)
    else if (kind === 4)
      bytes = Uint8Array.from([
        ...bytes.subarray(0, at),
        ...bytes.subarray(below(bytes.length), below(bytes.length) + 16),
        ...bytes.subarray(at),
      ])
    else bytes.copyWithin(at, below(bytes.length), below(bytes.length))
    if (bytes.length === 0) break
  }
  return bytes
}

const namedErrors =
  /^model\.(malformed-onnx|invalid-graph|unsupported-operator|unsupported-type|unsupported-opset|dynamic-shape|too-large|external-data)$/

/** Whether an error is one that the reader promises. */
export function isNamedError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && namedErrors.test(String(error.code))
}
