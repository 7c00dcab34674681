import { TacitError } from '@tacit/protocol'

/** A file that claims to be ONNX does not follow the format. */
export class MalformedOnnxError extends TacitError<'model.malformed-onnx'> {
  readonly what: string
  constructor(what: string, reason: string) {
    super('model.malformed-onnx', `The ONNX file is malformed: ${what} ${reason}.`)
    this.what = what
  }
}

/** The graph in the file contradicts itself: unknown value, wrong shape or type, a cycle. */
export class InvalidGraphError extends TacitError<'model.invalid-graph'> {
  readonly node: string
  readonly reason: string
  constructor(node: string, reason: string) {
    super('model.invalid-graph', `The graph is not valid at ${node}: ${reason}.`)
    this.node = node
    this.reason = reason
  }
}

/** A node uses an operator, or a form of one, that is not supported. */
export class UnsupportedOperatorError extends TacitError<'model.unsupported-operator'> {
  readonly node: string
  readonly operator: string
  constructor(node: string, operator: string, options: { readonly reason: string; readonly supported: string }) {
    super('model.unsupported-operator', `Node ${node} (${operator}) is not supported: ${options.reason}.`, {
      details: [`Supported: ${options.supported}`],
    })
    this.node = node
    this.operator = operator
  }
}

/** A tensor has an element type that graphs do not carry. */
export class UnsupportedTypeError extends TacitError<'model.unsupported-type'> {
  readonly elementType: string
  constructor(where: string, elementType: string) {
    super('model.unsupported-type', `${where} has element type ${elementType}.`, {
      details: [
        'Supported: float32, int8, uint8, int16, uint16, int32, uint32, int64, uint64, bool; float16, bfloat16 and float64 are computed in float32, and constants may be int4 or uint4.',
      ],
    })
    this.elementType = elementType
  }
}

/** The file uses an operator set or a domain that the reader does not know. */
export class UnsupportedOpsetError extends TacitError<'model.unsupported-opset'> {
  constructor(found: string, supported: string) {
    super('model.unsupported-opset', `The file uses ${found}.`, { details: [`Supported: ${supported}`] })
  }
}

/** A shape is not known before the network runs. */
export class DynamicShapeError extends TacitError<'model.dynamic-shape'> {
  readonly value: string
  constructor(value: string, reason: string) {
    super('model.dynamic-shape', `The shape of ${value} is not static: ${reason}.`, {
      details: [
        'Bind symbolic dimensions with options.dimensions (--dimension NAME=SIZE on the command line), or give whole shapes with options.inputShapes.',
      ],
    })
    this.value = value
  }
}

/** A size in the file exceeds what the caller allows. */
export class ModelTooLargeError extends TacitError<'model.too-large'> {
  constructor(what: string, found: number, limit: number) {
    super('model.too-large', `${what} is ${found}, the limit is ${limit}.`)
  }
}

/** Weights kept outside the file could not be read. */
export class ExternalDataError extends TacitError<'model.external-data'> {
  readonly location: string
  constructor(tensor: string, location: string, reason: string, cause?: unknown) {
    super('model.external-data', `The external data of tensor ${tensor} cannot be used: ${reason}.`, {
      details: [`Location: ${JSON.stringify(location)}`],
      ...(cause === undefined ? {} : { cause }),
    })
    this.location = location
  }
}

/** The inputs given to a run do not fit the network. */
export class ModelInputError extends TacitError<'model.input'> {
  readonly input: string
  constructor(input: string, reason: string) {
    super('model.input', `Input ${input} ${reason}.`)
    this.input = input
  }
}

/** A network cannot be expressed in the q8 form. */
export class Q8UnsupportedError extends TacitError<'model.q8-unsupported'> {
  readonly where: string
  constructor(where: string, reason: string, supported: string) {
    super('model.q8-unsupported', `${where} has no q8 form: ${reason}.`, { details: [`Supported: ${supported}`] })
    this.where = where
  }
}

/** The integers of a q8 layer could leave their range. */
export class Q8OverflowError extends TacitError<'model.q8-overflow'> {
  readonly layer: string
  constructor(layer: string, what: string, limit: string) {
    super('model.q8-overflow', `Layer ${layer} could overflow: ${what} exceeds ${limit}.`, {
      details: ['See docs/spec/q8.md, section 2. Use fewer inputs per output, smaller weights or a coarser input scale.'],
    })
    this.layer = layer
  }
}

/** Bytes or fields that claim to be a q8 network break its specification. */
export class MalformedQ8Error extends TacitError<'model.malformed-q8'> {
  constructor(what: string, reason: string) {
    super('model.malformed-q8', `The q8 network is malformed: ${what} ${reason}.`)
  }
}

/** Text that should hold handwritten digits does not. */
export class MalformedDigitsError extends TacitError<'model.malformed-digits'> {
  constructor(line: number, reason: string) {
    super('model.malformed-digits', `Line ${line} of the digits is malformed: ${reason}.`)
  }
}
