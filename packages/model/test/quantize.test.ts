import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import {
  compareQ8,
  type Digit,
  digitInput,
  encodeQ8,
  float32,
  graphToOnnx,
  importQ8,
  modelDigest,
  mulberry32,
  type NamedTensors,
  type OnnxFile,
  type OnnxFileNode,
  parseDigits,
  parseOnnx,
  q8Commitment,
  quantizeGraph,
  quantizeInput,
  runGraph,
  runQ8,
  splitDigits,
  type Tensor,
  tensor,
  writeOnnx,
} from '../src/index.ts'
import { runOnnxRuntime } from './onnx-oracle.ts'

const zoo = new URL('../../../zoo/', import.meta.url)
const digits = parseDigits(gunzipSync(readFileSync(new URL('data/digits/digits.csv.gz', zoo))).toString())
const { train, heldOut } = splitDigits(digits)
const sampleOf = (digit: Digit, shape: readonly number[] = [1, 64]): NamedTensors => ({ x: float32(shape, digitInput(digit)) })

type Card = { sha256: string; measured: { correct: number; heldOutImages: number; q8Commitment?: string } }

describe('the shipped digit classifiers', () => {
  for (const name of ['digits-relu', 'digits-square', 'digits-cnn', 'digits-relu.int8', 'digits-square.int8', 'digits-cnn.int8']) {
    const file = readFileSync(new URL(`digits/${name}.onnx`, zoo))
    const card = JSON.parse(readFileSync(new URL(`digits/${name}.card.json`, zoo), 'utf8')) as Card
    const graph = parseOnnx(file)
    const shape = graph.types.get('x')?.shape

    it(`${name} is as accurate on the held-out digits as its card says, and at least 97 %`, () => {
      assert.equal(modelDigest(file), `0x${card.sha256}`)
      const q8 = name.endsWith('.int8') ? importQ8(graph) : undefined
      if (q8 !== undefined) assert.equal(q8Commitment(q8), card.measured.q8Commitment)
      let correct = 0
      for (const digit of heldOut) {
        const input = digitInput(digit)
        const logits = q8 === undefined ? runGraph(graph, sampleOf(digit, shape))['logits']?.data : q8Logits(q8, input)
        if (largest(logits) === digit.label) correct++
      }
      assert.equal(heldOut.length, card.measured.heldOutImages)
      assert.equal(correct, card.measured.correct)
      assert.ok(correct / heldOut.length >= 0.97)
    })

    it(`${name} gives the same classes in onnxruntime`, async () => {
      const batch = heldOut.slice(0, 60)
      let same = 0
      for (const digit of batch) {
        const [expected] = await runOnnxRuntime(file, sampleOf(digit, shape))
        const logits = name.endsWith('.int8')
          ? q8Logits(importQ8(graph), digitInput(digit))
          : runGraph(graph, sampleOf(digit, shape))['logits']?.data
        if (largest(logits) === largest(expected?.data as Float32Array)) same++
      }
      // The q8 form rounds ties up where onnxruntime rounds them to even; float answers agree always.
      assert.ok(same >= (name.endsWith('.int8') ? batch.length - 1 : batch.length), `${same} of ${batch.length}`)
    })
  }
})

function q8Logits(q8: ReturnType<typeof importQ8>, input: Float32Array): Float32Array {
  const boundary = q8.boundaries[0]
  const answer = boundary === undefined ? undefined : runQ8(q8, [quantizeInput(boundary, input)]).answers[0]
  return answer?.answer === 'values' ? answer.values : new Float32Array(0)
}

function largest(values: ArrayLike<number | bigint> | undefined): number {
  const numbers = Array.from(values ?? [], Number)
  return numbers.indexOf(Math.max(...numbers))
}

const random = mulberry32(7)
const floats = (shape: readonly number[], scale = 1) =>
  float32(
    shape,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (random() * 2 - 1) * scale),
  )

/** A small residual network with every layer that the q8 form knows. */
function residualNetwork(): OnnxFile {
  const node = (
    operator: string,
    inputs: readonly string[],
    output: string,
    attributes: OnnxFileNode['attributes'] = {},
  ): OnnxFileNode => ({
    operator,
    inputs,
    outputs: [output],
    attributes,
    name: `${operator}_${output}`,
  })
  const conv = { kernel_shape: { integers: [3, 3] }, pads: { integers: [1, 1, 1, 1] } }
  return {
    name: 'residual',
    opset: 21,
    inputs: [{ name: 'x', elementType: 'float32', shape: [1, 2, 8, 8] }],
    outputs: [{ name: 'y', elementType: 'float32', shape: [1, 5] }],
    initializers: {
      w1: floats([4, 2, 3, 3], 0.4),
      b1: floats([4], 0.3),
      scale: floats([4], 0.2),
      shift: floats([4], 0.2),
      mean: floats([4], 0.1),
      variance: float32([4], [0.5, 1, 1.5, 0.8]),
      w2: floats([4, 2, 3, 3], 0.3),
      b2: floats([4], 0.3),
      w3: floats([16, 12], 0.5),
      b3: floats([12], 0.2),
      w4: floats([5, 12], 0.5),
      b4: floats([5], 0.2),
    },
    nodes: [
      node('Conv', ['x', 'w1', 'b1'], 'c1', conv),
      node('BatchNormalization', ['c1', 'scale', 'shift', 'mean', 'variance'], 'n1'),
      node('Relu', ['n1'], 'r1'),
      node('MaxPool', ['r1'], 'p1', { kernel_shape: { integers: [2, 2] }, strides: { integers: [2, 2] } }),
      node('Conv', ['p1', 'w2', 'b2'], 'c2', { ...conv, group: { integer: 2 } }),
      node('Add', ['c2', 'p1'], 's1'),
      node('Clip', ['s1', '', 'cap'], 'r2'),
      node('AveragePool', ['r2'], 'p2', { kernel_shape: { integers: [2, 2] }, strides: { integers: [2, 2] } }),
      node('Flatten', ['p2'], 'f'),
      node('MatMul', ['f', 'w3'], 'm'),
      node('Add', ['m', 'b3'], 'd1'),
      node('Mul', ['d1', 'd1'], 'q1'),
      node('Gemm', ['q1', 'w4', 'b4'], 'y', { transB: { integer: 1 } }),
    ],
  }
}

describe('post-training quantisation', () => {
  const file = residualNetwork()
  const graph = parseOnnx(writeOnnx({ ...file, initializers: { ...file.initializers, cap: float32([], [6]) } }))
  const samples = (count: number) => Array.from({ length: count }, () => ({ x: floats([1, 2, 8, 8]) }))
  const { q8, report, graph: quantized } = quantizeGraph(graph, { inputs: samples(24), evaluation: samples(40) })

  it('covers convolution, groups, batch norm, pooling, residual add, clip, flatten, MatMul and square', () => {
    assert.deepEqual(
      q8.layers.map((layer) => layer.kind),
      ['conv', 'maxPool', 'conv', 'add', 'averagePool', 'dense', 'square', 'dense'],
    )
  })

  it('stays close to the float network, and says how close', () => {
    const span = 255 * (q8.boundaries.at(-1)?.scale ?? 0)
    assert.equal(report.samples, 40)
    assert.ok(report.meanAbsError < 0.02 * span, `mean error ${report.meanAbsError} of a span of ${span}`)
    assert.ok(report.agreement >= 0.9, `agreement ${report.agreement}`)
    assert.equal(report.boundaries.length, q8.boundaries.length)
  })

  it('exports a file that onnxruntime runs, within two units of the last boundary', async () => {
    const bytes = graphToOnnx(quantized)
    assert.deepEqual(encodeQ8(importQ8(parseOnnx(bytes))), encodeQ8(q8))
    const step = q8.boundaries.at(-1)?.scale ?? 0
    for (const sample of samples(20)) {
      const [expected] = await runOnnxRuntime(bytes, sample)
      const [boundary] = q8.boundaries
      assert.ok(boundary !== undefined && sample.x.data instanceof Float32Array)
      const got = runQ8(q8, [quantizeInput(boundary, sample.x.data)]).answers[0]
      assert.ok(got?.answer === 'values')
      for (const [i, value] of got.values.entries()) assert.ok(Math.abs(value - Number(expected?.data[i])) <= 2.01 * step, `output ${i}`)
    }
  })

  it('chooses ReLU ranges that layer proofs can use: hi - lo = 2^w - 1', () => {
    for (const { lo, hi } of q8.boundaries) assert.ok([255, 127].includes(hi - lo), `${lo}..${hi}`)
  })

  it('counts accuracy only against given labels', () => {
    const labels = heldOut.slice(0, 50).map((digit) => digit.label)
    const digitsGraph = parseOnnx(readFileSync(new URL('digits/digits-relu.onnx', zoo)))
    const result = quantizeGraph(digitsGraph, {
      inputs: train.slice(0, 100).map((digit) => sampleOf(digit)),
      evaluation: heldOut.slice(0, 50).map((digit) => sampleOf(digit)),
      labels,
    })
    assert.ok((result.report.q8Accuracy ?? 0) > 0.9 && (result.report.floatAccuracy ?? 0) > 0.9)
    assert.equal(compareQ8(digitsGraph, result.q8, { inputs: [sampleOf(heldOut[0] as Digit)] }).q8Accuracy, undefined)
  })

  it('refuses what has no q8 form by name', () => {
    const softmax: OnnxFile = {
      name: 's',
      opset: 21,
      inputs: [{ name: 'x', elementType: 'float32', shape: [1, 4] }],
      outputs: [{ name: 'y', elementType: 'float32' }],
      initializers: {},
      nodes: [{ operator: 'Softmax', inputs: ['x'], outputs: ['y'], name: 'the_softmax' }],
    }
    assert.throws(
      () => quantizeGraph(parseOnnx(writeOnnx(softmax)), { inputs: [{ x: floats([1, 4]) }] }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'model.q8-unsupported')
        assert.match(error.message, /the_softmax \(Softmax\).*logits/)
        return true
      },
    )
    assert.throws(() => quantizeGraph(graph, { inputs: [] }), { code: 'model.input' })
  })
})

describe('import of networks that others quantised', () => {
  const scalar = (value: number) => float32([], [value])
  const zero = (type: 'int8' | 'uint8', value: number) => tensor(type, [], [value])
  const initializers: Record<string, Tensor> = {
    xs: scalar(0.05),
    xz: zero('uint8', 130),
    w: tensor(
      'int8',
      [3, 2, 3, 3],
      Array.from({ length: 54 }, (_, i) => ((i * 37) % 255) - 127),
    ),
    ws: float32([3], [0.01, 0.02, 0.005]),
    wz: tensor('int8', [3], [0, 0, 0]),
    ys: scalar(0.4),
    yz: zero('uint8', 7),
    b: tensor('int32', [3], [100, -2000, 5]),
    fw: tensor(
      'int8',
      [12, 4],
      Array.from({ length: 48 }, (_, i) => ((i * 53) % 255) - 127),
    ),
    fs: scalar(0.03),
    fz: zero('int8', 0),
    os: scalar(5),
    oz: zero('uint8', 100),
    flat: tensor('int64', [2], [1, 12]),
  }
  const file = (changes: Record<string, Tensor> = {}): OnnxFile => ({
    name: 'qlinear',
    opset: 21,
    inputs: [{ name: 'x', elementType: 'float32', shape: [1, 2, 6, 6] }],
    outputs: [{ name: 'y', elementType: 'float32', shape: [1, 4] }],
    initializers: { ...initializers, ...changes },
    nodes: [
      { operator: 'QuantizeLinear', inputs: ['x', 'xs', 'xz'], outputs: ['xq'] },
      { operator: 'QLinearConv', inputs: ['xq', 'xs', 'xz', 'w', 'ws', 'wz', 'ys', 'yz', 'b'], outputs: ['c'] },
      {
        operator: 'MaxPool',
        inputs: ['c'],
        outputs: ['p'],
        attributes: { kernel_shape: { integers: [2, 2] }, strides: { integers: [2, 2] } },
      },
      { operator: 'Reshape', inputs: ['p', 'flat'], outputs: ['f'] },
      { operator: 'QLinearMatMul', inputs: ['f', 'ys', 'yz', 'fw', 'fs', 'fz', 'os', 'oz'], outputs: ['o'] },
      { operator: 'DequantizeLinear', inputs: ['o', 'os', 'oz'], outputs: ['y'] },
    ],
  })

  it('turns QLinear operators with uint8 activations into the q8 form', async () => {
    const bytes = writeOnnx(file())
    const graph = parseOnnx(bytes)
    const q8 = importQ8(graph)
    assert.deepEqual(
      q8.layers.map((layer) => layer.kind),
      ['conv', 'maxPool', 'dense'],
    )
    for (let round = 0; round < 10; round++) {
      const x = floats([1, 2, 6, 6], 6)
      const [expected] = await runOnnxRuntime(bytes, { x })
      const [boundary] = q8.boundaries
      assert.ok(boundary !== undefined && x.data instanceof Float32Array)
      const answer = runQ8(q8, [quantizeInput(boundary, x.data)]).answers[0]
      assert.ok(answer?.answer === 'values')
      for (const [i, value] of answer.values.entries())
        assert.ok(Math.abs(value - Number(expected?.data[i])) <= 5.01, 'within one unit of the output')
    }
  })

  it('sees a flatten and a ReLU between a convolution and its QuantizeLinear', () => {
    const dequantized = (name: string, values: string, scale: string, zero: string, axis = 0): OnnxFileNode => ({
      operator: 'DequantizeLinear',
      inputs: [values, scale, zero],
      outputs: [name],
      attributes: { axis: { integer: axis } },
    })
    const { nodes: _, ...rest } = file()
    const graph = parseOnnx(
      writeOnnx({
        ...rest,
        outputs: [{ name: 'y', elementType: 'float32', shape: [1, 48] }],
        initializers: { ...initializers, flat48: tensor('int64', [2], [1, 48]) },
        nodes: [
          { operator: 'QuantizeLinear', inputs: ['x', 'xs', 'xz'], outputs: ['xq'] },
          dequantized('xf', 'xq', 'xs', 'xz'),
          dequantized('wf', 'w', 'ws', 'wz'),
          { operator: 'Conv', inputs: ['xf', 'wf'], outputs: ['c'] },
          { operator: 'Relu', inputs: ['c'], outputs: ['r'] },
          { operator: 'Reshape', inputs: ['r', 'flat48'], outputs: ['f'] },
          { operator: 'QuantizeLinear', inputs: ['f', 'ys', 'yz'], outputs: ['q'] },
          dequantized('y', 'q', 'ys', 'yz'),
        ],
      }),
    )
    const q8 = importQ8(graph)
    assert.deepEqual(
      q8.boundaries.map(({ shape }) => shape),
      [
        [1, 2, 6, 6],
        [1, 3, 4, 4],
      ],
    )
    assert.deepEqual([q8.boundaries[1]?.lo, q8.boundaries[1]?.zeroPoint], [-121, -121])
  })

  it('refuses asymmetric weights', () => {
    assert.throws(() => importQ8(parseOnnx(writeOnnx(file({ wz: tensor('int8', [3], [0, 1, 0]) })))), { code: 'model.q8-unsupported' })
  })

  it('refuses a float network and points to what would work', () => {
    const graph = parseOnnx(readFileSync(new URL('digits/digits-relu.onnx', zoo)))
    assert.throws(
      () => importQ8(graph),
      (error: Error & { code?: string }) => error.code === 'model.q8-unsupported' && error.message.includes('Supported'),
    )
  })
})

describe('the handwritten digits', () => {
  it('has 1,797 rows with the published number per label, and a fixed split', () => {
    assert.deepEqual(
      Array.from({ length: 10 }, (_, label) => digits.filter((digit) => digit.label === label).length),
      [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
    )
    assert.equal(train.length, 1437)
    assert.equal(heldOut.length, 360)
  })

  it('refuses text that is not digits', () => {
    for (const text of ['1,2,3', `${'0,'.repeat(64)}10`, `${'17,'.repeat(64)}1`, `${'x,'.repeat(64)}1`])
      assert.throws(() => parseDigits(text), { code: 'model.malformed-digits' })
  })
})
