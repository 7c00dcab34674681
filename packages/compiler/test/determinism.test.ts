// The same module gives the same bytes on every engine: an old Node if the machine has one, and this one with instructions
// switched off.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parseOnnx, quantizeGraph } from '@tacit/model'
import { type CompiledModel, compileModel } from '../src/index.ts'
import { cnn, mlp, transformer } from '../bench/networks.ts'
import { bytesOf, runCompiled } from './run-compiled.ts'

/** Runs on any Node >= 18: hashes the outputs of every module in a folder, after enough runs to be optimised. */
const harness = `
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
const cases = JSON.parse(readFileSync(new URL('cases.json', import.meta.url), 'utf8'))
const hashes = cases.map(({ wasm, input, inputOffset, outputOffset, outputBytes }) => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(new URL(wasm, import.meta.url))))
  const memory = new Uint8Array(exports.memory.buffer)
  const hash = () => {
    memory.set(readFileSync(new URL(input, import.meta.url)), inputOffset)
    exports.run()
    return createHash('sha256').update(memory.subarray(outputOffset, outputOffset + outputBytes)).digest('hex')
  }
  const first = hash()
  for (let i = 0; i < 60; i++) exports.run()
  return hash() === first ? first : 'unstable'
})
console.log(JSON.stringify(hashes))
`

async function cases(): Promise<readonly { readonly model: CompiledModel; readonly input: Uint8Array }[]> {
  const list: { model: CompiledModel; input: Uint8Array }[] = []
  for (const network of [mlp('f32'), mlp('int8'), cnn('f32'), cnn('int8'), transformer('f32'), transformer('int8')])
    list.push({ model: await compileModel(await parseOnnx(network.onnx), { profile: 'f32' }), input: bytesOf(network.input.data) })
  const image = cnn('f32')
  const { q8 } = quantizeGraph(await parseOnnx(image.onnx), { inputs: [{ x: image.input }] })
  list.push({ model: await compileModel(q8, { profile: 'q8' }), input: Uint8Array.from({ length: 3072 }, (_, i) => i * 31) })
  return list
}

const folder = mkdtempSync(join(tmpdir(), 'tacit-determinism-'))
const models = await cases()
const expected = models.map(({ model, input }) => createHash('sha256').update(runCompiled(model, input).output).digest('hex'))
writeFileSync(join(folder, 'harness.mjs'), harness)
writeFileSync(
  join(folder, 'cases.json'),
  JSON.stringify(
    models.map(({ model, input }, i) => {
      writeFileSync(join(folder, `${i}.wasm`), model.wasm)
      writeFileSync(join(folder, `${i}.bin`), input)
      const { offset = 0 } = model.manifest.outputs[0] ?? {}
      return {
        wasm: `${i}.wasm`,
        input: `${i}.bin`,
        inputOffset: model.manifest.inputs[0]?.offset ?? 0,
        outputOffset: offset,
        outputBytes: runCompiled(model, input).output.length,
      }
    }),
  ),
)

function hashesOf(node: string, flags: readonly string[]): readonly string[] {
  return JSON.parse(execFileSync(node, [...flags, join(folder, 'harness.mjs')], { encoding: 'utf8' }))
}

/** Another Node on this machine, with its version. */
function otherNode(): { readonly path: string; readonly version: string } | undefined {
  for (const path of ['/usr/bin/node', '/usr/local/bin/node'])
    try {
      const version = execFileSync(path, ['--version'], { encoding: 'utf8' }).trim()
      if (version !== process.version) return { path, version }
    } catch {}
  return undefined
}

describe('outputs have the same hash', () => {
  for (const flags of [[], ['--no-enable-avx'], ['--no-enable-fma3'], ['--liftoff-only'], ['--no-liftoff']])
    it(`in this Node with ${flags.join(' ') || 'no flags'}`, () => assert.deepEqual(hashesOf(process.execPath, flags), expected))

  const other = otherNode()
  it(`in ${other?.version ?? 'another Node'}`, { skip: other === undefined && 'this machine has no other Node' }, () => {
    if (other !== undefined) assert.deepEqual(hashesOf(other.path, []), expected)
  })

  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
})
