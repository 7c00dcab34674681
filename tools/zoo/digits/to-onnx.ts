import { float32, type OnnxFileNode, writeOnnx } from '../../../packages/model/src/index.ts'
import { type Classifier, classCount, hiddenSize, inputSize } from './train.ts'
import { type ConvolutionalClassifier, channels, features } from './train-cnn.ts'

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

/** The float ONNX file of the convolutional classifier: x [1, 1, 8, 8] -> logits [1, 10]. */
export function convolutionalToOnnx(name: string, model: ConvolutionalClassifier): Uint8Array {
  return writeOnnx({
    name,
    opset: 21,
    inputs: [{ name: 'x', elementType: 'float32', shape: [1, 1, 8, 8] }],
    outputs: [{ name: 'logits', elementType: 'float32', shape: [1, classCount] }],
    initializers: {
      'conv1.weight': float32([channels, 1, 3, 3], model.filters),
      'conv1.bias': float32([channels], model.filterBias),
      'dense2.weight': float32([classCount, features], model.outputWeights),
      'dense2.bias': float32([classCount], model.outputBias),
    },
    nodes: [
      {
        name: 'conv1',
        operator: 'Conv',
        inputs: ['x', 'conv1.weight', 'conv1.bias'],
        outputs: ['sums'],
        attributes: { kernel_shape: { integers: [3, 3] }, pads: { integers: [1, 1, 1, 1] } },
      },
      { name: 'activation', operator: 'Relu', inputs: ['sums'], outputs: ['hidden'] },
      {
        name: 'pool',
        operator: 'AveragePool',
        inputs: ['hidden'],
        outputs: ['pooled'],
        attributes: { kernel_shape: { integers: [2, 2] }, strides: { integers: [2, 2] } },
      },
      { name: 'flatten', operator: 'Flatten', inputs: ['pooled'], outputs: ['features'] },
      {
        name: 'dense2',
        operator: 'Gemm',
        inputs: ['features', 'dense2.weight', 'dense2.bias'],
        outputs: ['logits'],
        attributes: { transB: { integer: 1 } },
      },
    ],
  })
}
