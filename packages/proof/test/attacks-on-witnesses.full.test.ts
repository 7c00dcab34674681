// Attacks by provers who follow the protocol with a false witness, for every layer kind and every slot without a meaning. The fast
// verifier sees every lie with the claim taken from the committed vectors and from the cells, the slow one a part of them.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LayerSpec } from '@tacit/protocol'
import { createProofEngine } from '../src/engine.ts'
import { invert } from '../src/kernels/field.ts'
import { mod } from '../src/reference/arithmetic.ts'
import { verifyLayerSlowly } from '../src/reference/verify-layer-slowly.ts'
import { createRelation } from '../src/relation/create-relation.ts'
import { verifyLayer } from '../src/verifier/verify-layer.ts'
import { honestInstance, type Instance, type Lies, opened, proveAnything, statementOf } from './support/lying-prover.ts'
import { smallInstance, smallLayers, tinyRange } from './support/small-layers.ts'

describe('attacks on witnesses', async () => {
  const engine = await createProofEngine()
  const layer = (name: string): LayerSpec => {
    const spec = smallLayers[name]
    if (spec === undefined) throw new Error(name)
    return spec
  }
  const honest = (name: string, seed = 5): Instance => smallInstance(engine, layer(name), seed)
  const accepted = (instance: Instance, lies: Lies = {}): boolean => {
    const statement = statementOf(instance)
    const proof = proveAnything(instance, statement, lies)
    const fast = verifyLayer(statement, proof, { engine }).ok
    assert.equal(verifyLayerSlowly(statement, proof).ok, fast, 'both verifiers agree')
    return fast
  }
  let turn = 0
  const refused = (instance: Instance, why: string, lies: Lies = {}): void => {
    const statement = statementOf(instance)
    const slowly = [undefined, 'vectors', undefined, undefined, 'cells', undefined, undefined][turn++ % 7]
    for (const claim of ['vectors', 'cells'] as const) {
      const proof = proveAnything(instance, statement, { ...lies, claim })
      assert.deepEqual(verifyLayer(statement, proof, { engine }), { ok: false, failedCheck: 'equation' }, `${why}, claim from ${claim}`)
      if (claim === slowly) assert.equal(verifyLayerSlowly(statement, proof).ok, false, `slow, ${why}, claim from ${claim}`)
    }
  }
  const vector = (list: readonly { vector: bigint[] }[] | undefined, chunk: number): bigint[] => {
    const found = list?.[chunk]?.vector
    assert.ok(found !== undefined)
    return found
  }
  const cells = (instance: Instance, row: number): bigint[] => {
    const found = instance.cells[row]
    assert.ok(found !== undefined)
    return found
  }

  it('every kind is accepted with an honest witness, by both verifiers', () => {
    for (const name of Object.keys(smallLayers)) assert.ok(accepted(honest(name)), name)
  })

  for (const name of Object.keys(smallLayers)) {
    it(`${name}: a false output, a false input, flipped cells, cells that are no bits, cells where no output is`, () => {
      const relation = createRelation(layer(name))
      const { cells: perSlot } = relation.gate
      for (const by of [1n, -1n]) {
        const instance = honest(name)
        const last = vector(instance.output, instance.output.length - 1)
        last[0] = mod((last[0] ?? 0n) + by)
        refused(instance, `output ${by}`)
      }
      relation.inputs.forEach((_, which) => {
        const instance = honest(name)
        const values = vector(instance.inputs[which], 0)
        values[0] = mod((values[0] ?? 0n) + 9n)
        refused(instance, `input ${which}`)
      })
      // one cell of each third, in the first and in the last row
      for (const [row, at] of [
        [0, 0],
        [0, perSlot >> 1],
        [instanceRows(name) - 1, perSlot - 1],
      ] as const) {
        const instance = honest(name)
        const values = cells(instance, row)
        // the sign of a value inside its range is free: take the cell before it
        const free = at === perSlot - 1 && 'requantisation' in layer(name) && name !== 'square' ? at - 1 : at
        values[free] = 1n - (values[free] ?? 0n)
        refused(instance, `row ${row} cell ${free}`)
      }
      const wide = honest(name)
      const row = cells(wide, 0)
      row[0] = (row[0] ?? 0n) + 2n
      row[1] = (row[1] ?? 0n) - 1n
      refused(wide, 'no bits')
      const empty = relation.space.outputs.findIndex((element) => element < 0)
      if (empty < 0) return
      const nowhere = honest(name)
      const slots = cells(nowhere, Math.floor(empty / relation.space.slots))
      slots[(empty % relation.space.slots) * perSlot] = 1n
      refused(nowhere, 'a slot without output')
    })
  }
  const instanceRows = (name: string): number => createRelation(layer(name)).space.rows.length

  it('every kind: junk behind the columns that mean something', () => {
    for (const name of Object.keys(smallLayers)) {
      const { columns, inputs, output } = createRelation(layer(name))
      const targets = [
        ...inputs.map(({ chunk }, k) => [`input ${k}`, chunk, (i: Instance) => i.inputs[k]] as const),
        ['output', output.chunk, (i: Instance) => i.output] as const,
      ]
      for (const [what, chunk, pick] of targets) {
        // behind F no response exists, so the prover cannot even try: the opening has to be as long as f1
        if (chunk >= columns) continue
        const instance = honest(name)
        const values = vector(pick(instance), 0)
        while (values.length < columns) values.push(0n)
        values[columns - 1] = 1n
        refused(instance, `${name} ${what}`)
      }
    }
  })

  it("rests of last chunks: zero inputs force zero outputs; an input rest that is not zero is its consumer's to refuse", () => {
    // 5 values in chunks of 3: column 2 of the second chunk belongs to nothing
    for (const name of ['rescale', 'add', 'square', 'table', 'dense', 'matmul']) {
      const instance = honest(name)
      vector(instance.output, 1).push(1n)
      refused(instance, `${name}: a rest in the output`)
    }
    for (const name of ['averagePool', 'maxPool', 'convolution']) {
      const instance = honest(name)
      const values = vector(instance.output, 1)
      const { output } = createRelation(layer(name))
      while (values.length < output.chunk) values.push(0n)
      values[output.chunk - 1] = 1n
      refused(instance, `${name}: a rest in the output`)
    }
    // Element by element, a rest in the input may travel: nothing is said about it, and nothing that exists depends on it ...
    // (5 values in chunks of 4: column 1 of the second chunk shares a cell row with the last value)
    const rescale = layer('rescale')
    assert.ok(rescale.kind === 'rescale')
    const travelling = smallInstance(engine, { ...rescale, chunk: 4 })
    vector(travelling.inputs[0], 1).push(16n)
    vector(travelling.output, 1).push(11n)
    // 11 * 16 = 2^4 * 11 + 0: value 11, and no rounding constant where no output exists
    const row = cells(travelling, 2)
    ;[0, 0, 0, 0, 1, 1, 0, 1].forEach((bit, k) => {
      row[15 + k] = BigInt(bit)
    })
    assert.equal(accepted(travelling), true)
    // ... but layers that add columns up refuse it, each in its input
    for (const name of ['dense', 'matmul'] as const) {
      const { inputs } = createRelation(layer(name))
      inputs.forEach((layout, which) => {
        const instance = honest(name)
        const chunk = Math.ceil(layout.length / layout.chunk) - 1
        vector(instance.inputs[which], chunk).push(1n)
        refused(instance, `${name}: a rest in input ${which}`)
      })
    }
    const looked = honest('table')
    vector(looked.inputs[0], 1).push(3n)
    refused(looked, 'table: a rest in the input')
  })

  it('several tokens: outputs of two tokens exchanged, one token proved twice', () => {
    const swap = honest('dense')
    const { output } = swap
    ;[output[0], output[2]] = [output[2] as never, output[0] as never]
    refused(swap, 'outputs exchanged')
    const twice = honest('dense')
    twice.output[2] = opened(vector(twice.output, 0))
    twice.output[3] = opened(vector(twice.output, 1))
    const rows = twice.cells.length / 2
    for (let k = 0; k < rows; k++) twice.cells[rows + k] = [...cells(twice, k)]
    refused(twice, 'the first token twice')
  })

  it('convolution: every entry of the gathered input, two entries exchanged, the gathered input of another stride', () => {
    const spec = layer('convolution')
    assert.ok(spec.kind === 'conv')
    const taps = 8
    for (let k = 0; k < taps; k++)
      refused(honest('convolution'), `entry ${k}`, { link: (v) => v.map((x, i) => (i === k ? mod(x + 1n) : x)) })
    for (const [a, b] of [
      [0, 1],
      [0, 2],
      [1, 4],
      [3, 7],
    ] as const)
      refused(honest('convolution'), `${a} and ${b}`, {
        link: (v) => v.map((x, i) => (i === a ? (v[b] ?? 0n) : i === b ? (v[a] ?? 0n) : x)),
      })
    refused(honest('convolution'), 'scaled', { link: (v) => v.map((x) => mod(2n * x)) })
    refused(honest('convolution'), 'one more in the bias column', { link: (v) => [...v, 1n] })
    // padding that counts as zero instead of the zero point
    const moved = honest('convolution')
    moved.spec = { ...spec, inputZeroPoint: 0 }
    const statement = { ...statementOf(moved), spec }
    assert.equal(verifyLayer(statement, proveAnything(moved, statement), { engine }).ok, false)
  })

  it("convolution: a weight outside its group is the owner's registration, and the answer follows from it", () => {
    // what section 1 says is not proved, seen: the proof holds for the matrix that is committed
    const instance = honest('convolution')
    const row = vector(instance.weights, 0)
    assert.equal(row[5], 0n)
    row[5] = 3n
    refused(instance, 'the old outputs under another registration')
  })

  it('average pool: borders that count as zero, divide by another number, or take in a value from outside', () => {
    const spec = layer('averagePool')
    assert.ok(spec.kind === 'averagePool')
    const x = honest('averagePool').inputs
    for (const change of [
      { inputZeroPoint: 0 },
      { multiplier: 6 },
      { bias: 8 },
      { window: { ...spec.window, pads: [0, 0, 1, 1] } },
      { window: { ...spec.window, pads: [1, 0, 0, 1] } },
    ]) {
      // the outputs and cells of another layer on the same input, under the statement of this one
      const other = smallInstance(engine, { ...spec, ...change })
      const lie: Instance = { ...other, spec, inputs: x }
      assert.ok(accepted(other), JSON.stringify(change))
      refused(lie, JSON.stringify(change))
    }
  })

  it('add and rescale: scales exchanged, one input left out, zero points exchanged', () => {
    const spec = layer('add')
    assert.ok(spec.kind === 'add')
    for (const change of [
      { multiplierA: 14, multiplierB: 9 },
      { multiplierB: 0 },
      { multiplierA: 0 },
      { zeroPointA: -2, zeroPointB: 1 },
      { bias: 5 },
    ]) {
      const other = smallInstance(engine, { ...spec, ...change })
      assert.ok(accepted(other))
      refused({ ...other, spec, inputs: honest('add').inputs }, JSON.stringify(change))
    }
    const exchanged = honest('add')
    exchanged.inputs = [exchanged.inputs[1] ?? [], exchanged.inputs[0] ?? []]
    refused(exchanged, 'inputs exchanged')
    const rescale = layer('rescale')
    assert.ok(rescale.kind === 'rescale')
    for (const change of [{ multiplier: 12 }, { inputZeroPoint: 0 }, { bias: 11 }]) {
      const other = smallInstance(engine, { ...rescale, ...change })
      refused({ ...other, spec: rescale, inputs: honest('rescale').inputs }, JSON.stringify(change))
    }
  })

  it('square: the cells of the other root, of x + 256, of a value that is no int8', () => {
    const spec = layer('square')
    assert.ok(spec.kind === 'square')
    const values = Int8Array.of(4, -3, 2, 0, 1)
    const instance = (): Instance => honestInstance(engine, spec, [values])
    assert.ok(accepted(instance()))
    // (x + 1)^2 = (-x - 2 + 1)^2: the root with the other sign has the same square and other cells
    const mirror = honestInstance(engine, spec, [values.map((v) => -2 - v)])
    assert.deepEqual(
      mirror.output.map(({ vector: v }) => v),
      instance().output.map(({ vector: v }) => v),
    )
    refused({ ...mirror, inputs: instance().inputs }, 'the other root')
    const far = instance()
    vector(far.inputs[0], 0)[0] = 4n + 256n
    refused(far, 'x + 256')
  })

  it('maximum: a value from the padding, a difference of more than eight bits, a selector of one half', () => {
    const spec = layer('maxPool')
    assert.ok(spec.kind === 'maxPool')
    const tensor = new Int8Array(36).fill(-128)
    const low = (): Instance => honestInstance(engine, spec, [tensor])
    // every value is -128: the padding ties, and selecting it changes nothing
    const padded = low()
    const row = cells(padded, 0)
    ;[32, 33, 34, 35].forEach((k, i) => {
      row[k] = i === 0 ? 1n : 0n
    })
    assert.equal(accepted(padded), true)
    const above = honest('maxPool')
    const column = vector(above.output, 0)
    column[0] = mod((column[0] ?? 0n) - 300n)
    refused(above, 'below everything')
    const half = honest('maxPool')
    const selectors = cells(half, 1)
    const two = invert(2n)
    ;[32, 33].forEach((k) => {
      selectors[k] = two
    })
    ;[34, 35].forEach((k) => {
      selectors[k] = 0n
    })
    refused(half, 'two halves')
  })

  it('table and argmax: selectors that add up to one and are no bits', () => {
    const table = honest('table')
    const row = cells(table, 0)
    const from = row.slice(0, 16).indexOf(1n)
    row[(from + 1) % 16] = 1n
    row[(from + 2) % 16] = mod(-1n)
    refused(table, '1 + 1 - 1')
    const none = honest('table')
    cells(none, 0).fill(0n)
    refused(none, 'no entry at all')
  })

  it('product of activations: zero points exchanged or left out, the second factor transposed', () => {
    const spec = layer('matmul')
    assert.ok(spec.kind === 'matmul')
    for (const change of [{ zeroPointA: -1, zeroPointB: 1 }, { zeroPointA: 0 }, { zeroPointB: 0 }, { multiplier: 3 }, { bias: 5 }]) {
      const other = smallInstance(engine, { ...spec, ...change })
      refused({ ...other, spec, inputs: honest('matmul').inputs }, JSON.stringify(change))
    }
    const square = { ...spec, rows: 3 }
    const straight = smallInstance(engine, square)
    refused({ ...straight, inputs: [straight.inputs[1] ?? [], straight.inputs[0] ?? []] }, 'factors exchanged')
  })

  it('absurd weights: one answer for a registration and an input, or none; never two', () => {
    const spec: LayerSpec = {
      kind: 'dense',
      rows: 1,
      inputSize: 1,
      outputSize: 1,
      inputChunk: 1,
      outputChunk: 1,
      slots: 1,
      inputZeroPoint: 0,
      requantisation: { ...tinyRange, shift: 1, excessBits: 6 },
    }
    const plain = { weights: Int8Array.of(1), multipliers: [1], biases: [0n] }
    /** The instance for weight w and input x that claims `answer`, with the cells that v = w x would have if it were `v`. */
    const claim = (w: bigint, x: number, v: number): Instance => {
      const instance = honestInstance(engine, spec, [Int8Array.of(v)], plain)
      vector(instance.weights, 0)[0] = w
      instance.inputs = [[opened([BigInt(x)])]]
      return instance
    }
    const half = invert(2n)
    // w = 1/2: 6 becomes 3, and nothing else
    for (let v = -4; v <= 12; v++) {
      if (v === 3) assert.equal(accepted(claim(half, 6, v)), true)
      else refused(claim(half, 6, v), `1/2 of 6 is ${v}`)
    }
    // 1/2 of 7 is a huge residue: no claim at all
    for (const v of [2, 3, 4]) refused(claim(half, 7, v), `1/2 of 7 is ${v}`)
    // a weight of 2^61 and more leaves the range, whatever its sign
    for (const w of [2n ** 61n, 2n ** 200n, mod(-(2n ** 61n))]) for (const v of [0, 15, 100]) refused(claim(w, 1, v), `${w} gives ${v}`)
    // a weight that is 3 modulo the order is 3
    assert.equal(accepted(claim(mod(3n), 2, 6)), true)
  })
})
