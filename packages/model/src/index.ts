export { modelDigest, q8Commitment } from './digest.ts'
export { type Digit, digitInput, mulberry32, parseDigits, splitDigits } from './digits.ts'
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
export {
  erfDenominator,
  erfNumerator,
  expPolynomial,
  logPolynomial,
  tanhDenominator,
  tanhNumerator,
} from './f32/coefficients.generated.ts'
export type { BinaryOperator, Graph, GraphNode, Operation, OperatorName, ReduceOperator, UnaryOperator, ValueId, Window } from './graph.ts'
export { foldConstants } from './interpret/fold-constants.ts'
export { canonicalNaN, type NamedTensors, runGraph, type ValueObserver } from './interpret/run-graph.ts'
export { graphToOnnx } from './onnx/graph-to-onnx.ts'
export { type ParseOnnxOptions, parseOnnx, supportedOperators } from './onnx/parse-onnx.ts'
export { type ExternalDataLoader, type NamedTensor, parseOnnxTensor } from './onnx/tensor-proto.ts'
export { type OnnxAttributeValue, type OnnxFile, type OnnxFileNode, type OnnxFileValue, writeOnnx } from './onnx/write-onnx.ts'
export { assertQ8 } from './q8/assert-q8.ts'
export { encodeQ8 } from './q8/encode-q8.ts'
export { importQ8 } from './q8/import-q8.ts'
export { parseQ8 } from './q8/parse-q8.ts'
export {
  boundaryName,
  layerInputs,
  type Q8Add,
  type Q8AveragePool,
  type Q8Boundary,
  type Q8Conv,
  type Q8Dense,
  type Q8DenseTransposed,
  type Q8Layer,
  type Q8LayerNorm,
  type Q8Matmul,
  type Q8MaxPool,
  type Q8Model,
  type Q8Output,
  type Q8Requantization,
  type Q8Rescale,
  type Q8Softmax,
  type Q8Square,
  type Q8Table,
} from './q8/q8-model.ts'
export {
  type BoundaryReport,
  type Calibration,
  compareQ8,
  type Quantized,
  type QuantizationReport,
  quantizeGraph,
} from './q8/quantize-graph.ts'
export { exponentialTable, functionTable, layerNormEpsilon, multipliersFor, requantizationFor } from './q8/scales.ts'
export { argmaxRows, dequantizeActivation, type Q8Answer, type Q8Run, quantizeInput, runLayer, runQ8 } from './q8/run-q8.ts'
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
