import { float32, type OnnxFileNode, writeOnnx } from '../../../packages/model/src/index.ts'
import { type Classifier, classCount, hiddenSize, inputSize } from './train.ts'

/** The float ONNX file of a classifier: x [1, 64] -> logits [1, 10]. */
export function toOnnx(name: string, model: Classifier): Uint8Array {
  const activation: OnnxFileNode =
    model.activation === 'relu'
      ? { name: 'activation', operator: 'Relu', inputs: ['sums'], outputs: ['hidden'] }
      : { name: 'activation', operator: 'Mul', inputs: ['sums', 'sums'], outputs: ['hidden'] }
  const gemm = (layer: string, input: string, output: string): OnnxFileNode => ({
    name: layer,
    operator: 'Gemm',
    inputs: [input, `${layer}.weight`, `${layer}.bias`],
    outputs: [output],
    attributes: { transB: { integer: 1 } },
  })
  return writeOnnx({
    name,
    opset: 21,
    inputs: [{ name: 'x', elementType: 'float32', shape: [1, inputSize] }],
    outputs: [{ name: 'logits', elementType: 'float32', shape: [1, classCount] }],
    initializers: {
      'dense1.weight': float32([hiddenSize, inputSize], model.hiddenWeights),
      'dense1.bias': float32([hiddenSize], model.hiddenBias),
      'dense2.weight': float32([classCount, hiddenSize], model.outputWeights),
      'dense2.bias': float32([classCount], model.outputBias),
    },
    nodes: [gemm('dense1', 'x', 'sums'), activation, gemm('dense2', 'hidden', 'logits')],
  })
}
