import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, mock } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { digitInput, parseDigits, parseOnnx, type QuantizationReport, runGraph, splitDigits, tensor, writeOnnx } from '@tacit/model'
import { parseCommandLine } from '../src/command.ts'
import { findCommand } from '../src/commands.ts'

const zoo = (name: string): string => fileURLToPath(new URL(`../../../zoo/digits/${name}.onnx`, import.meta.url))
const square = zoo('digits-square')
const pixels = Array.from({ length: 64 }, (_, i) => (i % 17) / 16)

let directory = ''
const at = (name: string): string => join(directory, name)

/** Runs a command in this process: what it tells a person, and its one line of JSON. */
async function cli(
  name: string,
  ...args: readonly string[]
): Promise<{ readonly said: string; readonly json: Readonly<Record<string, unknown>> }> {
  const command = await findCommand(name)
  assert.ok(command)
  const said: string[] = []
  const log = mock.method(console, 'log', () => undefined)
  try {
    const parsed = parseCommandLine(command, args)
    const say = (line = ''): void => void said.push(line)
    assert.equal(await command.run({ ...parsed, dataDir: directory, json: true, say, signal: new AbortController().signal }), 0)
    assert.equal(log.mock.callCount(), 1, 'one line of JSON')
    return { said: said.join('\n'), json: JSON.parse(String(log.mock.calls[0]?.arguments[0])) }
  } finally {
    log.mock.restore()
  }
}

const holdersFile = (): string => {
  writeFileSync(at('holders.json'), JSON.stringify({ ownerSecret: `0x${'5a'.repeat(32)}`, holders: ['alice', 'bob', 'carol'] }))
  return at('holders.json')
}

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'tacit-compile-'))
})
after(() => rmSync(directory, { recursive: true }))

describe('tacit models compile and run', () => {
  it('writes a module that answers as the interpreter does', async () => {
    const compiled = await cli('models', 'compile', square, '--out', at('plain.wasm'))
    assert.equal(compiled.json['moduleBytes'], statSync(at('plain.wasm')).size)
    assert.ok(Number(compiled.json['work']) > 1000 && existsSync(at('plain.manifest.json')))
    assert.match(compiled.said, /memory +\d/)
    writeFileSync(at('values.json'), JSON.stringify({ x: pixels }))
    const run = await cli('models', 'run', at('plain.wasm'), '--input', at('values.json'))
    assert.deepEqual(Object.values(run.json['outputs'] ?? {}), [exactAnswer()])
  })

  it('quantises a float network from typical inputs, says what it costs, and compiles the result', async () => {
    const digits = parseDigits(gunzipSync(readFileSync(new URL('../../../zoo/data/digits/digits.csv.gz', import.meta.url))).toString())
    const { train, heldOut } = splitDigits(digits)
    const values = (list: typeof digits) => list.map((digit) => [...digitInput(digit)])
    writeFileSync(at('calibration.json'), JSON.stringify(values(train.slice(0, 60))))
    writeFileSync(
      at('evaluation.json'),
      JSON.stringify({ inputs: values(heldOut.slice(0, 100)), labels: heldOut.slice(0, 100).map(({ label }) => label) }),
    )
    const files = ['--calibration', at('calibration.json'), '--evaluation', at('evaluation.json'), '--out', at('digits.int8.onnx')]
    const { said, json } = await cli('models', 'quantize', zoo('digits-relu'), ...files)
    const report = json['report'] as QuantizationReport // what the command prints
    assert.ok(report.samples === 100 && report.agreement >= 0.97 && (report.q8Accuracy ?? 0) >= 0.9, said)
    assert.match(said, /right +\d+\.\d % in floats, \d+\.\d % in int8/)
    const compiled = await cli('models', 'compile', at('digits.int8.onnx'), '--profile', 'q8', '--out', at('digits.wasm'))
    assert.equal(compiled.json['profile'], 'q8')
  })

  it('takes sizes for free dimensions', async () => {
    const w = tensor('float32', [2, 3], [1, 2, 3, 4, 5, 6])
    const bytes = writeOnnx({
      name: 'free',
      opset: 21,
      inputs: [{ name: 'x', elementType: 'float32', shape: ['batch', 2] }],
      outputs: [{ name: 'y', elementType: 'float32' }],
      initializers: { w },
      nodes: [{ operator: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
    })
    writeFileSync(at('free.onnx'), bytes)
    await assert.rejects(cli('models', 'compile', at('free.onnx'), '--out', at('free.wasm')), { code: 'model.dynamic-shape' })
    await assert.rejects(cli('models', 'compile', at('free.onnx'), '--dimension', 'batch', '--out', at('free.wasm')), { code: 'cli.usage' })
    await cli('models', 'compile', at('free.onnx'), '--dimension', 'batch=2', '--out', at('free.wasm'))
    writeFileSync(at('x.json'), '[1, 0, 0, 1]')
    const run = await cli('models', 'run', at('free.wasm'), '--input', at('x.json'))
    assert.deepEqual(run.json['outputs'], { y: [1, 2, 3, 4, 5, 6] })
  })

  it('takes and gives real values for a quantised module', async () => {
    const compiled = await cli('models', 'compile', zoo('digits-square.int8'), '--profile', 'q8', '--out', at('q8.wasm'))
    assert.equal(compiled.json['profile'], 'q8')
    writeFileSync(at('list.json'), JSON.stringify(pixels))
    const run = await cli('models', 'run', at('q8.wasm'), '--manifest', at('q8.manifest.json'), '--input', at('list.json'))
    const answer = Object.values(run.json['outputs'] ?? {}).flat() as number[]
    const exact = exactAnswer()
    assert.equal(answer.length, 10)
    const spread = Math.max(...exact) - Math.min(...exact)
    for (const [i, value] of answer.entries()) assert.ok(Math.abs(value - (exact[i] ?? NaN)) < 0.1 * spread, `${value} for ${exact[i]}`)
  })

  it('says what a float network lacks for q8, and writes nothing', async () => {
    await assert.rejects(cli('models', 'compile', square, '--profile', 'q8', '--out', at('never.wasm')), {
      code: 'cli.file-unusable',
      message: /calibration/,
    })
    assert.ok(!existsSync(at('never.wasm')))
  })

  it('refuses what does not fit', async () => {
    const usage = { code: 'cli.usage' }
    await assert.rejects(cli('models', 'compile', square, '--input', 'x'), usage)
    await assert.rejects(cli('models', 'compile', square, '--profile', 'q4'), usage)
    await assert.rejects(cli('models', 'compile', square, '--out', at('module')), usage)
    await assert.rejects(cli('models', 'compile', square, '--encrypted', '--obfuscate', 's'), usage)
    await assert.rejects(cli('models', 'compile', square, '--holder', 'bob'), usage)
    await assert.rejects(cli('models', 'compile', square, '--holder', 'eve', '--holders', holdersFile()), usage)
    await assert.rejects(cli('attack', 'extract'), usage)
    await assert.rejects(cli('models', 'compile', at('nothing.onnx')), { code: 'cli.file-unusable' })
    writeFileSync(at('short.json'), '[1, 2]')
    await assert.rejects(cli('models', 'run', at('plain.wasm'), '--input', at('short.json')), { code: 'cli.file-unusable' })
    const others = ['--manifest', at('plain.manifest.json')]
    await assert.rejects(cli('models', 'run', at('q8.wasm'), ...others, '--input', at('list.json')), { code: 'runtime.sandbox-refused' })
    await assert.rejects(cli('attack', 'extract', at('q8.wasm'), ...others), { code: 'runtime.sandbox-refused' })
  })

  it('plans encrypted inference, or names what is in the way', async () => {
    const plan = await cli('models', 'compile', square, '--encrypted')
    assert.equal(plan.json['parameters'], 'ckks-8192-180')
    assert.ok(Number(plan.json['requestBytes']) > 0 && plan.said.includes('128 bits of security'))
    await assert.rejects(cli('models', 'compile', zoo('digits-relu'), '--encrypted'), { code: 'fhe.unsupported-circuit' })
  })
})

describe('tacit attack and trace-leak', () => {
  it('recovers the weights of a marked copy, and names its holder to the owner', async () => {
    const compiled = await cli('models', 'compile', square, '--holder', 'bob', '--holders', holdersFile(), '--out', at('bob.wasm'))
    assert.equal(compiled.json['obfuscated'], true)
    const attack = await cli('attack', 'extract', at('bob.wasm'), '--original', square)
    const modes = attack.json['modes'] as readonly { readonly mode: string; readonly recovered: { readonly weights: number } }[]
    assert.deepEqual(
      modes.map(({ mode, recovered }) => [mode, recovered.weights]),
      [
        ['untraced', 1],
        ['traced', 1],
        ['colluding', 1],
      ],
    )
    const blind = await cli('attack', 'extract', at('bob.wasm'))
    assert.equal((blind.json['modes'] as readonly unknown[]).length, 2)
    assert.match(blind.said, /do not hide weights/)
    const leak = await cli('models', 'trace-leak', at('bob.wasm'), '--original', square, '--holders', at('holders.json'))
    assert.equal(leak.json['likelyHolder'], 'bob')
    assert.match(leak.said, /evidence for you only/)
  })

  it('recovers nothing from one model when it is judged by another', async () => {
    const attack = await cli('attack', 'extract', at('bob.wasm'), '--original', zoo('digits-relu'))
    const modes = attack.json['modes'] as readonly { readonly recovered: { readonly weights: number } }[]
    for (const { recovered } of modes) assert.ok(recovered.weights < 0.05)
  })

  it('names nobody for what is nobody’s copy, and keeps the secret to itself', async () => {
    writeFileSync(at('garbage.wasm'), new Uint8Array(1000).fill(7))
    for (const name of ['garbage.wasm', 'plain.wasm']) {
      const leak = await cli('models', 'trace-leak', at(name), '--original', square, '--holders', holdersFile())
      assert.equal(leak.json['likelyHolder'], null, name)
    }
    writeFileSync(at('broken.json'), JSON.stringify({ ownerSecret: '0xfeedfeed', holders: ['alice'] }))
    await assert.rejects(
      cli('models', 'trace-leak', at('garbage.wasm'), '--original', square, '--holders', at('broken.json')),
      (error: Error & { code?: string }) => error.code === 'cli.file-unusable' && !inspect(error, { depth: 9 }).includes('feedfeed'),
    )
  })
})

function exactAnswer(): readonly number[] {
  const graph = parseOnnx(readFileSync(square))
  const answer = runGraph(graph, { [graph.inputs[0] ?? '']: tensor('float32', [1, 64], Float32Array.from(pixels)) })[graph.outputs[0] ?? '']
  return Array.from(answer?.data ?? [], Number)
}
