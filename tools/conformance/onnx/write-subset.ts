// Writes packages/model/test/vectors/onnx-node-cases.json: the two smallest passing cases of every operator, for npm test.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseOnnx } from '../../../packages/model/src/index.ts'
import { repositoryRoot } from '../../repository.ts'
import { readCase } from './run.ts'

const perOperator = 2
const maxBytes = 6000
const names = readFileSync(join(repositoryRoot, 'tools/conformance/onnx/passing.txt'), 'utf8').split('\n').filter(Boolean)
const bySize = names
  .map((name) => readCase(name))
  .map((test) => ({ test, size: [test.model, ...test.inputs, ...test.outputs].reduce((sum, bytes) => sum + bytes.length, 0) }))
  .filter(({ size, test }) => size <= maxBytes && !test.name.includes('_expanded'))
  .sort((a, b) => a.size - b.size)
const taken = new Map<string, number>()
const chosen = bySize.filter(({ test }) => {
  const operator = operatorOf(test.name)
  taken.set(operator, (taken.get(operator) ?? 0) + 1)
  return (taken.get(operator) ?? 0) <= perOperator
})
const cases = chosen
  .map(({ test }) => ({ ...test, model: base64(test.model), inputs: test.inputs.map(base64), outputs: test.outputs.map(base64) }))
  .sort((a, b) => (a.name < b.name ? -1 : 1))
const origin =
  'PyPI package onnx 1.23.1, backend node tests, written by tools/conformance/onnx; licence Apache-2.0, copyright ONNX Project Contributors'
writeFileSync(join(repositoryRoot, 'packages/model/test/vectors/onnx-node-cases.json'), `${JSON.stringify({ origin, cases })}\n`)
console.log(`${cases.length} cases of ${taken.size} operators`)

/** The word of the case name that says the operator; near enough to spread the choice. */
function operatorOf(name: string): string {
  const graph = parseOnnxOrNothing(readCase(name).model)
  return graph ?? name.split('_')[1] ?? name
}

function parseOnnxOrNothing(model: Uint8Array): string | undefined {
  try {
    return parseOnnx(model).nodes[0]?.name.split('#')[0]
  } catch {
    return undefined
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
