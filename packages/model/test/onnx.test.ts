import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  float32,
  foldConstants,
  type OnnxFile,
  type OnnxFileNode,
  parseOnnx,
  parseOnnxTensor,
  runGraph,
  supportedOperators,
  tensor,
  writeOnnx,
} from '../src/index.ts'
import { isNamedError, mixedFile, mutate, sampleFiles } from './onnx-samples.ts'

const bind = { dimensions: { batch: 1 }, maxElements: 1 << 16 }

function fileWith(nodes: readonly OnnxFileNode[], changes: Partial<OnnxFile> = {}): Uint8Array {
  return writeOnnx({
    name: 'test',
    opset: 21,
    inputs: [{ name: 'x', elementType: 'float32', shape: [2, 3] }],
    outputs: [{ name: 'y', elementType: 'float32' }],
    initializers: {},
    nodes,
    ...changes,
  })
}

/** The error of reading a file, asserted to carry a code and to mention some text. */
function refuses(bytes: Uint8Array, code: string, mention: RegExp, options: Parameters<typeof parseOnnx>[1] = {}): void {
  assert.throws(
    () => parseOnnx(bytes, options),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, code, error.message)
      assert.match(error.message, mention)
      return true
    },
  )
}

describe('the ONNX reader', () => {
  it('binds symbolic dimensions and folds shape arithmetic away', () => {
    const graph = parseOnnx(writeOnnx(mixedFile), { dimensions: { batch: 3 } })
    assert.deepEqual(graph.types.get('x')?.shape, [3, 2, 6, 6])
    assert.deepEqual(graph.types.get('y')?.shape, [3, 4])
    assert.deepEqual(
      graph.nodes.map((node) => node.operation.operator),
      ['Conv', 'Relu', 'MaxPool', 'Reshape', 'MatMul', 'LayerNormalization', 'Softmax'],
    )
  })

  it('takes whole input shapes instead', () => {
    assert.deepEqual(parseOnnx(writeOnnx(mixedFile), { inputShapes: { x: [2, 2, 6, 6] } }).types.get('y')?.shape, [2, 4])
  })

  it('names the symbol of a dynamic shape', () => {
    refuses(writeOnnx(mixedFile), 'model.dynamic-shape', /"batch"/)
  })

  it('names the node whose shape depends on input values', () => {
    const shapes = fileWith([{ name: 'grow', operator: 'Reshape', inputs: ['x', 's'], outputs: ['y'] }], {
      inputs: [
        { name: 'x', elementType: 'float32', shape: [2, 3] },
        { name: 's', elementType: 'int64', shape: [1] },
      ],
    })
    refuses(shapes, 'model.dynamic-shape', /grow \(Reshape\)/)
  })

  it('names an unsupported operator and lists the supported ones', () => {
    refuses(
      fileWith([{ name: 'odd', operator: 'NonMaxSuppression', inputs: ['x'], outputs: ['y'] }]),
      'model.unsupported-operator',
      /odd \(NonMaxSuppression\)[\s\S]*Softmax/,
    )
    refuses(
      fileWith([{ operator: 'Relu', domain: 'com.example', inputs: ['x'], outputs: ['y'] }]),
      'model.unsupported-operator',
      /com\.example/,
    )
    assert.ok(supportedOperators.length >= 50)
  })

  it('does not mistake names of the language for operators', () => {
    for (const operator of ['constructor', '__proto__', 'toString'])
      refuses(fileWith([{ operator, inputs: ['x'], outputs: ['y'] }]), 'model.unsupported-operator', /unknown/)
  })

  it('refuses operator sets it does not know', () => {
    refuses(fileWith([], { opset: 6 }), 'model.unsupported-opset', /6/)
    refuses(fileWith([], { opset: 29 }), 'model.unsupported-opset', /7 to 28/)
  })

  it('refuses graphs that contradict themselves, naming the node', () => {
    const relu = (input: string, output: string): OnnxFileNode => ({
      name: `relu_${output}`,
      operator: 'Relu',
      inputs: [input],
      outputs: [output],
    })
    refuses(fileWith([relu('z', 'y'), relu('y', 'z')]), 'model.invalid-graph', /relu_[yz].*is not defined before/)
    refuses(fileWith([relu('q', 'y')]), 'model.invalid-graph', /relu_y.*"q"/)
    refuses(fileWith([relu('x', 'y'), relu('x', 'y')]), 'model.invalid-graph', /defined twice/)
    refuses(fileWith([relu('x', 'q')]), 'model.invalid-graph', /y is not defined/)
    refuses(fileWith([{ operator: 'MatMul', inputs: ['x', 'x'], outputs: ['y'] }]), 'model.invalid-graph', /inner sizes 3 and 2/)
    refuses(
      fileWith([relu('x', 'y')], { outputs: [{ name: 'y', elementType: 'float32', shape: [3, 3] }] }),
      'model.invalid-graph',
      /declared \[3, 3\]/,
    )
  })

  it('sorts nodes that are listed before what they read', () => {
    const relu = (input: string, output: string): OnnxFileNode => ({ operator: 'Relu', inputs: [input], outputs: [output] })
    const graph = parseOnnx(fileWith([relu('b', 'y'), relu('a', 'b'), relu('x', 'a')]))
    assert.deepEqual(
      graph.nodes.map(({ outputs }) => outputs[0]),
      ['a', 'b', 'y'],
    )
  })

  it('reads half and double precision as float32, and 4-bit constants as bytes', () => {
    // TensorProto: dims 3, data type (field 2), raw data (field 9).
    const stored = (type: number, raw: readonly number[]) => parseOnnxTensor(Uint8Array.of(8, 3, 16, type, 74, raw.length, ...raw)).tensor
    assert.deepEqual(stored(10, [0, 0x3c, 1, 0, 0, 0xfc]).data, Float32Array.of(1, 2 ** -24, Number.NEGATIVE_INFINITY))
    assert.deepEqual(stored(16, [0x80, 0x3f, 0x49, 0x40, 0, 0x80]).data, Float32Array.of(1, 3.140625, -0))
    const doubles = new Uint8Array(Float64Array.of(0.1, -1e300, Number.NaN).buffer)
    assert.deepEqual(stored(11, [...doubles]).data, Float32Array.of(Math.fround(0.1), -3.4028234663852886e38, Number.NaN))
    assert.deepEqual(stored(21, [0xf1, 0x0e]).data, Uint8Array.of(1, 15, 14))
    assert.deepEqual(stored(22, [0xf1, 0x0e]).data, Int8Array.of(1, -1, -2))
    assert.throws(() => stored(10, [0, 0x3c]), { code: 'model.malformed-onnx' })
  })

  it('bounds what unrolling may make of a small file', () => {
    const layer = (index: number): OnnxFileNode => ({
      operator: 'LSTM',
      inputs: ['x', 'w', 'r'],
      outputs: [index === 0 ? 'y' : `y${index}`],
      attributes: { hidden_size: { integer: 1 } },
    })
    const many = writeOnnx({
      name: 'many',
      opset: 21,
      inputs: [{ name: 'x', elementType: 'float32', shape: [4000, 1, 1] }],
      outputs: [{ name: 'y', elementType: 'float32' }],
      initializers: { w: tensor('float32', [1, 4, 1], [1, 1, 1, 1]), r: tensor('float32', [1, 4, 1], [1, 1, 1, 1]) },
      nodes: Array.from({ length: 60 }, (_, index) => layer(index)),
    })
    assert.throws(() => parseOnnx(many), { code: 'model.too-large' })
  })

  it('refuses to round to 4-bit integers', () => {
    refuses(
      fileWith([{ operator: 'Cast', inputs: ['x'], outputs: ['y'], attributes: { to: { integer: 22 } } }]),
      'model.unsupported-type',
      /int4/,
    )
  })

  it('keeps the names of outputs that only rename a value', () => {
    const graph = parseOnnx(fileWith([{ operator: 'Identity', inputs: ['x'], outputs: ['y'] }]))
    assert.deepEqual(graph.outputs, ['y'])
    assert.deepEqual(runGraph(graph, { x: float32([2, 3], [1, 2, 3, 4, 5, 6]) })['y']?.data, Float32Array.of(1, 2, 3, 4, 5, 6))
  })

  it('refuses a value larger than the limit before it is computed', () => {
    const huge = fileWith([{ operator: 'Expand', inputs: ['x', 's'], outputs: ['y'] }], {
      initializers: { s: tensor('int64', [3], [2 ** 40, 2, 3]) },
    })
    refuses(huge, 'model.too-large', /limit/)
  })

  it('refuses constants that a few bytes of file would make huge, one by one and in total', () => {
    const shaped = (operator: string, index: number): OnnxFileNode => ({
      operator,
      inputs: ['s'],
      outputs: [index === 0 ? 'y' : `y${index}`],
    })
    const generated = (size: number, count: number) =>
      fileWith(
        Array.from({ length: count }, (_, index) => shaped('ConstantOfShape', index)),
        { initializers: { s: tensor('int64', [2], [size, size]) } },
      )
    refuses(generated(2 ** 20, 1), 'model.too-large', /generated/)
    parseOnnx(generated(2 ** 10, 4))
    refuses(generated(2 ** 11, 40), 'model.too-large', /generated/)
    const scalar = (value: number) => tensor('int64', [], [value])
    const range = { operator: 'Range', inputs: ['a', 'b', 'c'], outputs: ['y'] }
    refuses(fileWith([range], { initializers: { a: scalar(0), b: scalar(2 ** 50), c: scalar(1) } }), 'model.too-large', /generated/)
    refuses(fileWith([range], { initializers: { a: scalar(0), b: scalar(5), c: scalar(0) } }), 'model.invalid-graph', /step/)
    const enlarge = { operator: 'Resize', inputs: ['x', '', 'k'], outputs: ['y'] }
    refuses(fileWith([enlarge], { initializers: { k: float32([2], [1e12, 1]) } }), 'model.too-large', /generated/)
    const hot = { operator: 'OneHot', inputs: ['i', 'd', 'v'], outputs: ['y'] }
    const hotInputs = { i: tensor('int64', [1], [0]), d: scalar(2 ** 40), v: float32([2], [0, 1]) }
    refuses(fileWith([hot], { initializers: hotInputs }), 'model.too-large', /elements/)
    const parts = {
      operator: 'Split',
      inputs: ['x'],
      outputs: ['y'],
      attributes: { num_outputs: { integer: 60_000 }, axis: { integer: 0 } },
    }
    refuses(fileWith([parts]), 'model.invalid-graph', /60000 parts/)
  })

  it('keeps quantised weights, until asked to fold them', () => {
    const bytes = fileWith(
      [
        { operator: 'DequantizeLinear', inputs: ['w', 's'], outputs: ['wf'] },
        { operator: 'MatMul', inputs: ['x', 'wf'], outputs: ['y'] },
      ],
      { initializers: { w: tensor('int8', [3, 1], [1, -2, 3]), s: float32([], [0.5]) } },
    )
    const graph = parseOnnx(bytes)
    assert.equal(graph.nodes.length, 2)
    const folded = foldConstants(graph)
    assert.equal(folded.nodes.length, 1)
    const x = float32([2, 3], [1, 2, 3, 4, 5, 6])
    assert.deepEqual(runGraph(folded, { x }), runGraph(graph, { x }))
  })

  it('checks the inputs of a run', () => {
    const graph = parseOnnx(fileWith([{ operator: 'Relu', inputs: ['x'], outputs: ['y'] }]))
    const x = float32([2, 3], [0, 0, 0, 0, 0, 0])
    for (const inputs of [
      {},
      { x: float32([3, 2], x.data as Float32Array) },
      { x, z: x },
      { x: tensor('int32', [2, 3], [0, 0, 0, 0, 0, 0]) },
    ])
      assert.throws(() => runGraph(graph, inputs), { code: 'model.input' })
  })

  it('writes every NaN of an output as the same bits', () => {
    const graph = parseOnnx(fileWith([{ operator: 'Relu', inputs: ['x'], outputs: ['y'] }]))
    const data = new Float32Array(6)
    new Uint32Array(data.buffer).set([0x7fc00001, 0xffc00000, 0x7f800001])
    const bits = new Uint32Array((runGraph(graph, { x: { elementType: 'float32', shape: [2, 3], data } })['y']?.data ?? data).buffer)
    assert.deepEqual([...bits.subarray(0, 3)], [0x7fc00000, 0x7fc00000, 0x7fc00000])
  })
})

describe('external data', () => {
  // A TensorProto with data_location = EXTERNAL, written by hand because the writer keeps weights inside.
  const field = (number: number, bytes: readonly number[]) => [(number << 3) | 2, bytes.length, ...bytes]
  const text = (value: string) => [...Buffer.from(value)]
  const entry = (key: string, value: string) => field(13, [...field(1, text(key)), ...field(2, text(value))])
  const file = (location: string, extra: readonly number[] = []) => {
    const weights = [0x08, 2, 0x10, 1, ...field(8, text('w')), ...entry('location', location), ...extra, 0x70, 1]
    const relu = [...field(1, text('w')), ...field(2, text('y')), ...field(4, text('Relu'))]
    const output = [...field(1, text('y')), ...field(2, field(1, [0x08, 1]))]
    const graph = [...field(1, relu), ...field(5, weights), ...field(12, output)]
    return Uint8Array.from([0x08, 9, ...field(7, graph), ...field(8, [0x10, 21])])
  }
  const bytes = new Uint8Array(Float32Array.of(-1, 2, 3).buffer)

  it('comes through the injected loader', () => {
    const ranges: unknown[] = []
    const graph = parseOnnx(file('weights.bin', entry('offset', '4')), {
      externalData: (location, range) => {
        ranges.push([location, range])
        return bytes.subarray(range.offset, range.offset + range.length)
      },
    })
    assert.deepEqual(ranges, [['weights.bin', { offset: 4, length: 8 }]])
    assert.deepEqual(runGraph(graph, {})['y']?.data, Float32Array.of(2, 3))
  })

  it('is refused without a loader, outside the folder, with a wrong length, or when the loader fails', () => {
    const loader = { externalData: () => bytes.subarray(0, 8) }
    refuses(file('weights.bin'), 'model.external-data', /no loader/)
    for (const location of ['../secret', '/etc/passwd', 'a/../../b', 'C:\\x', 'file:x', ''])
      refuses(file(location), 'model.external-data', /folder/, loader)
    refuses(file('w', entry('length', '12')), 'model.external-data', /length/, loader)
    refuses(file('w', entry('offset', '-1')), 'model.external-data', /offset/, loader)
    refuses(file('w'), 'model.external-data', /short/, { externalData: () => bytes.subarray(0, 4) })
    refuses(file('w'), 'model.external-data', /failed/, {
      externalData: () => {
        throw new Error('disk')
      },
    })
  })
})

describe('damaged ONNX files', () => {
  it('give a named error at every truncation', () => {
    for (const file of sampleFiles()) {
      parseOnnx(file, bind)
      const step = Math.max(1, Math.floor(file.length / 400))
      for (let length = 0; length < file.length; length += step)
        assert.throws(
          () => parseOnnx(file.subarray(0, length), bind),
          (error) => isNamedError(error),
          `length ${length}`,
        )
    }
  })

  it('give a named error or a graph, never anything else, over 8,000 mutations', () => {
    const files = sampleFiles()
    for (let seed = 0; seed < 8_000; seed++) {
      const bytes = mutate(files[seed % files.length] ?? new Uint8Array(0), seed)
      try {
        parseOnnx(bytes, bind)
      } catch (error) {
        if (!isNamedError(error)) throw new Error(`seed ${seed}`, { cause: error })
      }
    }
  })

  it('give a named error on garbage', () => {
    assert.throws(() => parseOnnx(new Uint8Array(0)), { code: 'model.malformed-onnx' })
    for (let value = 0; value < 256; value++)
      assert.throws(() => parseOnnx(new Uint8Array(1000).fill(value)), { code: 'model.malformed-onnx' })
  })
})
