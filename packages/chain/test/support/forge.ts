// Runs forge on the contracts, with the compiler of the lockfile.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'

export type ForgeTest = {
  readonly suite: string
  readonly name: string
  readonly isPassed: boolean
  readonly reason: string | null
  readonly runs: number
}

const repositoryRoot = resolve(import.meta.dirname, '../../../..')

/** The binary, or undefined where npm has none for this machine. */
export function resolveForge(): string | undefined {
  try {
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch
    const fromRoot = createRequire(join(repositoryRoot, 'package.json'))
    const fromWrapper = createRequire(fromRoot.resolve('@foundry-rs/forge/package.json'))
    const path = join(dirname(fromWrapper.resolve(`@foundry-rs/forge-${process.platform}-${architecture}/package.json`)), 'bin/forge')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

/** Runs every test of `contracts/test` under a profile of foundry.toml. */
export async function runForge(forge: string, profile: 'default' | 'full'): Promise<readonly ForgeTest[]> {
  const child = spawn(forge, ['test', '--json', '--threads', '1'], {
    cwd: repositoryRoot,
    env: {
      HOME: process.env['HOME'] ?? '/',
      PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      FOUNDRY_PROFILE: profile,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  await new Promise((done) => child.once('close', done))
  const text = Buffer.concat(output).toString('utf8')
  if (!text.trimStart().startsWith('{')) throw new Error(`forge gave no results:\n${text}\n${Buffer.concat(errors).toString('utf8')}`)
  return parseResults(JSON.parse(text) as ForgeOutput)
}

type ForgeOutput = Readonly<Record<string, { readonly test_results: Readonly<Record<string, ForgeResult>> }>>
type ForgeResult = {
  readonly status: string
  readonly reason: string | null
  readonly kind: { readonly Fuzz?: { readonly runs?: number }; readonly Invariant?: { readonly calls?: number } }
}

function parseResults(output: ForgeOutput): readonly ForgeTest[] {
  return Object.entries(output).flatMap(([suite, { test_results }]) =>
    Object.entries(test_results).map(([name, result]) => ({
      suite: suite.split(':').at(-1) ?? suite,
      name,
      isPassed: result.status === 'Success',
      reason: result.reason,
      runs: result.kind.Fuzz?.runs ?? result.kind.Invariant?.calls ?? 1,
    })),
  )
}
