// Compiles contracts/src with the solc of the lockfile: the same input on every machine, so the same bytes.
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { repositoryRoot } from '../repository.ts'

/** What the bindings need of a contract. */
export type CompiledContract = {
  readonly name: string
  readonly abi: readonly unknown[]
  readonly bytecode: string
  readonly sizeBytes: number
}

type SolcOutput = {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[]
  readonly contracts: Readonly<Record<string, Readonly<Record<string, SolcContract>>>>
}
type SolcContract = {
  readonly abi: readonly unknown[]
  readonly evm: { readonly bytecode: { readonly object: string }; readonly deployedBytecode: { readonly object: string } }
}
type Solc = { compile(input: string, callbacks: { import: (path: string) => { contents: string } | { error: string } }): string }

/** One million runs: the pool is called far more often than deployed. No metadata: the bytes must not depend on paths. */
export const solcSettings = {
  optimizer: { enabled: true, runs: 1_000_000 },
  viaIR: false,
  evmVersion: 'cancun',
  metadata: { bytecodeHash: 'none', appendCBOR: false },
} as const

/** Every deployable contract of `contracts/src`, by name; a library of internal functions is part of whoever uses it. */
export function compileContracts(): readonly CompiledContract[] {
  const require = createRequire(import.meta.url)
  const solc: Solc = require('solc')
  const folder = join(repositoryRoot, 'contracts/src')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.sol'))
    .sort()
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(files.map((file) => [`src/${file}`, { content: readFileSync(join(folder, file), 'utf8') }])),
    settings: { ...solcSettings, outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } } },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: readImport })) as SolcOutput
  const problems = (output.errors ?? []).filter((error) => error.severity === 'error' || error.formattedMessage.includes('src/'))
  if (problems.length > 0) throw new Error(problems.map((problem) => problem.formattedMessage).join('\n'))
  return files.flatMap((file) =>
    Object.entries(output.contracts[`src/${file}`] ?? {}).flatMap(([name, contract]) => toCompiled(name, contract)),
  )
}

function toCompiled(name: string, contract: SolcContract): readonly CompiledContract[] {
  const bytecode = contract.evm.bytecode.object
  if (bytecode === '') return [] // an interface or an abstract contract
  if (!contract.abi.some(isFunction)) return [] // a library
  const sizeBytes = contract.evm.deployedBytecode.object.length / 2
  if (sizeBytes > 24_576) throw new Error(`${name} is ${sizeBytes} bytes; EIP-170 allows 24576`)
  return [{ name, abi: contract.abi, bytecode: `0x${bytecode}`, sizeBytes }]
}

function isFunction(entry: unknown): boolean {
  return (entry as { readonly type: string }).type === 'function' // every entry of an ABI has a type
}

function readImport(path: string): { contents: string } | { error: string } {
  try {
    return { contents: readFileSync(join(repositoryRoot, 'node_modules', path), 'utf8') }
  } catch {
    return { error: `${path} is not installed` }
  }
}
