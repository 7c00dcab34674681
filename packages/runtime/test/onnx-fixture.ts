import { float32, type OnnxFile } from '@tacit/model'

/** y = relu(2 x - 1) on two numbers, as two nodes. */
export const doublingNetwork: OnnxFile = {
  name: 'doubling',
  opset: 13,
  inputs: [{ name: 'x', elementType: 'float32', shape: [1, 2] }],
  outputs: [{ name: 'y', elementType: 'float32', shape: [1, 2] }],
  initializers: { w: float32([2, 2], [2, 0, 0, 2]), b: float32([2], [-1, -1]) },
  nodes: [
    { operator: 'Gemm', inputs: ['x', 'w', 'b'], outputs: ['h'] },
    { operator: 'Relu', inputs: ['h'], outputs: ['y'] },
  ],
}
