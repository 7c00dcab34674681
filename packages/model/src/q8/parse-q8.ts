import { equalBytes } from '@tacit/protocol'
import { MalformedQ8Error } from '../errors.ts'
import type { Window } from '../graph.ts'
import { elementCount } from '../tensor.ts'
import { assertQ8 } from './assert-q8.ts'
import { layerKinds, q8Magic } from './encode-q8.ts'
import type { Q8Boundary, Q8Layer, Q8Model, Q8Output, Q8Requantization } from './q8-model.ts'

/**
 * Reads the canonical encoding of a q8 network from an untrusted source.
 * @throws MalformedQ8Error, Q8OverflowError
 */
export function parseQ8(bytes: Uint8Array): Q8Model {
  const reader = new Reader(bytes)
  if (!equalBytes(reader.bytes(8), q8Magic)) throw new MalformedQ8Error('the encoding', 'does not start with its magic bytes')
  const boundaries = reader.list(11, () => readBoundary(reader))
  const inputCount = reader.u32()
  const layers = reader.list(5, () => readLayer(reader, boundaries))
  const outputs = reader.list(5, () => readOutput(reader))
  reader.end()
  return assertQ8({ inputCount, boundaries, layers, outputs })
}

function readBoundary(reader: Reader): Q8Boundary {
  const shape = reader.list(4, () => reader.u32())
  return { shape, scale: reader.f32(), zeroPoint: reader.i8(), lo: reader.i8(), hi: reader.i8() }
}

function readLayer(reader: Reader, boundaries: readonly Q8Boundary[]): Q8Layer {
  const kind = reader.u8()
  switch (kind) {
    case layerKinds.dense:
    case layerKinds.denseTransposed: {
      const [input, rows, inputSize, outputSize] = [reader.u32(), reader.u32(), reader.u32(), reader.u32()]
      const requantization = readRequantization(reader)
      const weights = reader.weights(inputSize * outputSize)
      const name = kind === layerKinds.dense ? 'dense' : 'denseTransposed'
      return { kind: name, input, rows, inputSize, outputSize, requantization, weights }
    }
    case layerKinds.conv: {
      const input = reader.u32()
      const window = readWindow(reader)
      const [group, outputChannels] = [reader.u32(), reader.u32()]
      const requantization = readRequantization(reader)
      const rowSize = Math.floor((boundaries[input]?.shape[1] ?? 0) / group) * elementCount(window.kernel)
      return { kind: 'conv', input, window, group, outputChannels, requantization, weights: reader.weights(outputChannels * rowSize) }
    }
    case layerKinds.averagePool:
      return { kind: 'averagePool', input: reader.u32(), window: readWindow(reader), requantization: readRequantization(reader) }
    case layerKinds.maxPool:
      return { kind: 'maxPool', input: reader.u32(), window: readWindow(reader) }
    case layerKinds.add:
      return {
        kind: 'add',
        inputs: [reader.u32(), reader.u32()],
        multipliers: [reader.u32(), reader.u32()],
        bias: reader.i64(),
        shift: reader.u8(),
      }
    case layerKinds.square:
      return { kind: 'square', input: reader.u32(), requantization: readRequantization(reader) }
    case layerKinds.rescale:
      return { kind: 'rescale', input: reader.u32(), requantization: readRequantization(reader) }
    case layerKinds.matmul:
      return {
        kind: 'matmul',
        inputs: [reader.u32(), reader.u32()],
        rows: reader.u32(),
        heads: reader.u32(),
        inner: reader.u32(),
        outputs: reader.u32(),
        orderB: reader.choice('tokens', 'heads'),
        requantization: readRequantization(reader),
      }
    case layerKinds.softmax:
      return {
        kind: 'softmax',
        input: reader.u32(),
        rows: reader.u32(),
        heads: reader.u32(),
        size: reader.u32(),
        mask: reader.choice('none', 'causal'),
        table: Uint16Array.from({ length: 256 }, () => reader.u16()),
      }
    case layerKinds.layerNorm:
      return {
        kind: 'layerNorm',
        input: reader.u32(),
        rows: reader.u32(),
        size: reader.u32(),
        gain: reader.u32(),
        epsilon: Number(reader.i64()),
      }
    case layerKinds.table:
      return { kind: 'table', input: reader.u32(), table: reader.weights(256) }
    default:
      throw new MalformedQ8Error('a layer', `has the unknown kind ${kind}`)
  }
}

function readWindow(reader: Reader): Window {
  const rank = reader.u32()
  if (rank < 1 || rank > 2) throw new MalformedQ8Error('a window', 'must have one or two axes')
  const read = (count: number) => Array.from({ length: count }, () => reader.u32())
  return { kernel: read(rank), strides: read(rank), dilations: read(rank), pads: read(2 * rank) }
}

function readRequantization(reader: Reader): Q8Requantization {
  const shift = reader.u8()
  const count = reader.count(12)
  const multipliers = Int32Array.from({ length: count }, () => reader.u32())
  return { shift, multipliers, biases: BigInt64Array.from({ length: count }, () => reader.i64()) }
}

function readOutput(reader: Reader): Q8Output {
  const boundary = reader.u32()
  const answer = reader.u8()
  if (answer > 1) throw new MalformedQ8Error('an output', 'has an unknown answer')
  return { boundary, answer: answer === 1 ? 'argmax' : 'values' }
}

class Reader {
  readonly #view: DataView
  readonly #bytes: Uint8Array
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  i8(): number {
    return this.#view.getInt8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true)
  }

  /** One byte that names one of two things. */
  choice<const First extends string, const Second extends string>(first: First, second: Second): First | Second {
    const byte = this.u8()
    if (byte > 1) throw new MalformedQ8Error('the encoding', 'has an unknown choice')
    return byte === 0 ? first : second
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true)
  }

  f32(): number {
    return this.#view.getFloat32(this.#take(4), true)
  }

  bytes(length: number): Uint8Array {
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  weights(length: number): Int8Array {
    return Int8Array.from(new Int8Array(this.bytes(length).slice().buffer))
  }

  /** A count whose items take at least `itemBytes` each, so that it cannot promise more than the file holds. */
  count(itemBytes: number): number {
    const count = this.u32()
    if (count * itemBytes > this.#bytes.length - this.#offset) throw new MalformedQ8Error('the encoding', 'is cut off')
    return count
  }

  list<Item>(itemBytes: number, read: () => Item): Item[] {
    return Array.from({ length: this.count(itemBytes) }, read)
  }

  end(): void {
    if (this.#offset !== this.#bytes.length) throw new MalformedQ8Error('the encoding', 'has bytes after its end')
  }

  #take(length: number): number {
    if (!(length <= this.#bytes.length - this.#offset)) throw new MalformedQ8Error('the encoding', 'is cut off')
    this.#offset += length
    return this.#offset - length
  }
}
