import type { LayerSpec } from '@tacit/protocol'
import { wireConvolution } from './convolution.ts'
import { wireDense, wireMatmul } from './dense.ts'
import { wireAdd, wireArgmax, wireRescale, wireSquare, wireTable } from './elementwise.ts'
import { wireAveragePool, wireMaxPool } from './pooling.ts'
import { wireLayerNorm, wireSoftmax } from './transformer.ts'
import type { TraceWiring, WireInputs } from './wiring.ts'

/** The wiring of a layer as nodes. */
export function wireLayer(spec: LayerSpec, inputs: WireInputs): TraceWiring {
  switch (spec.kind) {
    case 'dense':
    case 'denseTransposed':
      return wireDense(spec, inputs)
    case 'conv':
      return wireConvolution(spec, inputs)
    case 'averagePool':
      return wireAveragePool(spec, inputs)
    case 'maxPool':
      return wireMaxPool(spec, inputs)
    case 'rescale':
      return wireRescale(spec, inputs)
    case 'square':
      return wireSquare(spec, inputs)
    case 'add':
      return wireAdd(spec, inputs)
    case 'argmax':
      return wireArgmax(spec, inputs)
    case 'table':
      return wireTable(spec, inputs)
    case 'matmul':
      return wireMatmul(spec, inputs)
    case 'softmax':
      return wireSoftmax(spec, inputs)
    case 'layerNorm':
      return wireLayerNorm(spec, inputs)
  }
}
