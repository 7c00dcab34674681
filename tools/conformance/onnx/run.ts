// ONNX's own backend node tests on the reference interpreter. The PyPI package `onnx` generates the cases into .cache/.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../../repository.ts'
import { type ConformanceCase, judge, type Verdict } from './judge.ts'
import { writeReport } from './report.ts'

const onnxVersion = '1.23.1'
const environment = join(repositoryRoot, '.cache/onnx-venv')
const cases = join(repositoryRoot, '.cache/onnx-cases')
const passList = join(repositoryRoot, 'tools/conformance/onnx/passing.txt')

/** Judges every case, rewrites the report, and fails if a case failed or a listed one no longer passes. */
export async function run(): Promise<boolean> {
  if (!existsSync(join(cases, 'export.txt')) && !exportCases()) return false
  const verdicts = new Map<string, Verdict>()
  for (const name of readdirSync(cases).sort()) if (existsSync(join(cases, name, 'model.onnx'))) verdicts.set(name, judge(readCase(name)))
  const passing = [...verdicts].filter(([, { verdict }]) => verdict === 'pass').map(([name]) => name)
  const failing = [...verdicts].flatMap(([name, verdict]) => (verdict.verdict === 'fail' ? [`${name}: ${verdict.reason}`] : []))
  const lost = listed().filter((name) => !passing.includes(name))
  const summary = writeReport(verdicts, readFileSync(join(cases, 'export.txt'), 'utf8'))
  console.log(summary)
  for (const line of failing) console.log(`FAIL ${line}`)
  for (const name of lost) console.log(`LOST ${name}`)
  if (failing.length > 0 || lost.length > 0) return false
  writeFileSync(passList, `${passing.join('\n')}\n`)
  return true
}

function exportCases(): boolean {
  const python = join(environment, 'bin/python')
  const steps: readonly (readonly [string, readonly string[]])[] = [
    ['python3', ['-m', 'venv', environment]],
    [python, ['-m', 'pip', 'install', '--quiet', `onnx==${onnxVersion}`]],
    [python, [join(repositoryRoot, 'tools/conformance/onnx/export-cases.py'), cases]],
  ]
  for (const [command, args] of steps) {
    const result = spawnSync(command, args, { stdio: 'inherit' })
    if (result.status !== 0) {
      console.error('The cases need Python 3 with venv and the PyPI package onnx.')
      return false
    }
  }
  return true
}

/** A case as the exporter wrote it. */
export function readCase(name: string): ConformanceCase {
  const folder = join(cases, name)
  const read = (kind: string) =>
    globSync(`${kind}_0_*.pb`, { cwd: folder })
      .sort((a, b) => Number(a.split(/[_.]/)[2]) - Number(b.split(/[_.]/)[2]))
      .map((file) => Uint8Array.from(readFileSync(join(folder, file))))
  const [relativeTolerance = 1e-3, absoluteTolerance = 1e-7] = readFileSync(join(folder, 'tolerance'), 'utf8').split(' ').map(Number)
  const model = Uint8Array.from(readFileSync(join(folder, 'model.onnx')))
  return { name, model, inputs: read('input'), outputs: read('output'), relativeTolerance, absoluteTolerance }
}

function listed(): string[] {
  return existsSync(passList) ? readFileSync(passList, 'utf8').split('\n').filter(Boolean) : []
}
