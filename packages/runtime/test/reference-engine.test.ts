import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseOnnx, writeOnnx } from '@tacit/model'
import type { NamedTensors, Tensor } from '../src/engine.ts'
import type { RuntimeError } from '../src/errors.ts'
import { openReferenceEngine } from '../src/reference-engine.ts'
import { doublingNetwork } from './onnx-fixture.ts'

const digest = `sha256:${'0'.repeat(64)}` as const
const open = () => openReferenceEngine(parseOnnx(writeOnnx(doublingNetwork)), { digest })
const x = (values: readonly number[], shape: readonly number[] = [1, 2]): Tensor => ({
  type: 'f32',
  shape,
  data: Float32Array.from(values),
})

const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    (error as RuntimeError).code === code

describe('the reference engine', () => {
  it('computes the outputs, and the boundaries only when they are asked for', async () => {
    await using engine = open()
    assert.deepEqual(engine.inputs, [{ name: 'x', type: 'f32', shape: [1, 2] }])
    const plain = await engine.run({ x: x([3, -3]) })
    assert.deepEqual(plain, { outputs: { y: x([5, 0]) } })
    const traced = await engine.run({ x: x([3, -3]) }, { trace: true })
    assert.deepEqual(traced.boundaries, [
      { name: 'h', tensor: x([5, -7]) },
      { name: 'y', tensor: x([5, 0]) },
    ])
  })

  it('refuses tensors that are missing, extra, or of another type, shape or length', async () => {
    await using engine = open()
    const wrong: readonly NamedTensors[] = [
      {},
      { x: x([1, 2]), z: x([1, 2]) },
      { x: { type: 'i8', shape: [1, 2], data: Int8Array.of(1, 2) } },
      { x: x([1, 2], [2, 1]) },
      { x: x([1, 2, 3]) },
    ]
    for (const inputs of wrong) await assert.rejects(engine.run(inputs), hasCode('runtime.input-mismatch'))
  })

  it('honours an aborted signal and its end', async () => {
    const engine = open()
    const reason = new Error('enough')
    await assert.rejects(engine.run({ x: x([1, 2]) }, { signal: AbortSignal.abort(reason) }), reason)
    await engine[Symbol.asyncDispose]()
    await assert.rejects(engine.run({ x: x([1, 2]) }), hasCode('runtime.engine-closed'))
    assert.equal((await engine.health()).status, 'closed')
  })
})
