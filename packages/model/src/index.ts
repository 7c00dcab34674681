export {
  DynamicShapeError,
  ExternalDataError,
  InvalidGraphError,
  MalformedDigitsError,
  MalformedOnnxError,
  MalformedQ8Error,
  ModelInputError,
  ModelTooLargeError,
  Q8OverflowError,
  Q8UnsupportedError,
  UnsupportedOperatorError,
  UnsupportedOpsetError,
  UnsupportedTypeError,
} from './errors.ts'
export type { BinaryOperator, Graph, GraphNode, Operation, OperatorName, ReduceOperator, UnaryOperator, ValueId, Window } from './graph.ts'
export { canonicalNaN, type NamedTensors, runGraph, type ValueObserver } from './interpret/run-graph.ts'
export { type ParseOnnxOptions, parseOnnx, supportedOperators } from './onnx/parse-onnx.ts'
export type { ExternalDataLoader } from './onnx/tensor-proto.ts'
export { type OnnxAttributeValue, type OnnxFile, type OnnxFileNode, type OnnxFileValue, writeOnnx } from './onnx/write-onnx.ts'
export {
  boundaryName,
  layerInputs,
  type Q8Add,
  type Q8AveragePool,
  type Q8Boundary,
  type Q8Conv,
  type Q8Dense,
  type Q8Layer,
  type Q8MaxPool,
  type Q8Model,
  type Q8Output,
  type Q8Requantization,
  type Q8Rescale,
  type Q8Square,
} from './q8/q8-model.ts'
export {
  allocate,
  type ElementType,
  elementCount,
  elementSizeBytes,
  float32,
  sameShape,
  stridesOf,
  type Tensor,
  type TensorData,
  type TensorType,
  tensor,
} from './tensor.ts'
