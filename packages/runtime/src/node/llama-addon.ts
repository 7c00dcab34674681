// The native llama.cpp binding that node-llama-cpp 3.22.1 ships prebuilt, loaded directly: importing that package's own
// JavaScript and letting it probe the binary costs 0.6 s and a second process per start, the binding itself 0.05 s.
// Only what is used here is declared; the version is pinned exactly, and a test compares with the package's own API.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The exports of the binding that are used here. */
export type LlamaAddon = {
  readonly AddonModel: new (path: string, options: AddonModelOptions) => AddonModel
  readonly AddonContext: new (model: AddonModel, options: AddonContextOptions) => AddonContext
  readonly AddonSampler: new (model: AddonModel) => AddonSampler
  readonly AddonJinjaRenderer: new (template: string) => { render(values: Record<string, unknown>): string }
  setLogger(logger: (level: number, message: string) => void): void
  setLoggerLogLevel(level: number): void
  loadBackends(folder: string): void
  init(): Promise<void>
}

type AddonModelOptions = {
  readonly addonExports: LlamaAddon
  readonly gpuLayers: number
  readonly useMmap: boolean
  readonly checkTensors: boolean
}

/** Weights and vocabulary in memory. */
export type AddonModel = {
  init(): Promise<boolean>
  tokenize(text: string, specialTokens: boolean): Uint32Array
  detokenize(tokens: Uint32Array, specialTokens: boolean): string
  getTrainContextSize(): number
  tokenBos(): number
  tokenEos(): number
  sepToken(): number
  getVocabularyType(): number
  getEmbeddingVectorSize(): number
  getTokenString(token: number): string
  isEogToken(token: number): boolean
  shouldPrependBosToken(): boolean
  shouldAppendEosToken(): boolean
}

type AddonContextOptions = {
  readonly contextSize: number
  readonly batchSize: number
  readonly sequences: number
  readonly threads: number
  readonly flashAttention: false
  /** Vectors of texts in place of logits; how tokens are pooled is written in the model file. */
  readonly embeddings?: boolean
}

/** A key-value cache with the batch that is being evaluated. */
export type AddonContext = {
  init(): Promise<boolean>
  initBatch(tokens: number): void
  addToBatch(sequence: number, firstPosition: number, tokens: Uint32Array, logitIndexes: Uint32Array): Uint32Array
  decodeBatch(): Promise<void>
  sampleToken(logitIndex: number, sampler: AddonSampler): Promise<number>
  disposeSequence(sequence: number): void
  /** The pooled vector of sequence 0, or that of the last token where the model pools none. */
  getEmbedding(tokens: number): Float64Array
}

/** Picks tokens; keeps the state of its seed. */
export type AddonSampler = {
  applyConfig(config: { readonly temperature: number; readonly topP: number; readonly seed: number }): void
  dispose(): void
}

/** What llama.cpp logs as an error; anything below is not asked for. */
export const errorLogLevel = 2

const platformPackages: Readonly<Record<string, readonly [name: string, folder: string]>> = {
  'linux-x64': ['@node-llama-cpp/linux-x64', 'linux-x64'],
  'linux-arm64': ['@node-llama-cpp/linux-arm64', 'linux-arm64'],
  'darwin-x64': ['@node-llama-cpp/mac-x64', 'mac-x64'],
  'darwin-arm64': ['@node-llama-cpp/mac-arm64-metal', 'mac-arm64-metal'],
}

/** The binding with its CPU backends loaded, and what build it is; undefined when this platform has none. */
export function loadLlamaAddon(): { readonly addon: LlamaAddon; readonly build: string } | undefined {
  const platform = `${process.platform}-${process.arch}`
  const found = platformPackages[platform]
  if (found === undefined) return undefined
  // The platform package is a dependency of node-llama-cpp, not ours, and is looked up from there.
  const fromPackage = createRequire(import.meta.resolve('node-llama-cpp'))
  const entry = resolveEntry(fromPackage, found[0])
  if (entry === undefined) return undefined
  const folder = join(dirname(entry), '..', 'bins', found[1])
  const require = createRequire(pathToFileURL(entry))
  const addon = require(join(folder, 'llama-addon.node')) as LlamaAddon
  addon.loadBackends(folder)
  const { version } = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8')) as { version: string }
  const metadata = JSON.parse(readFileSync(join(folder, '_nlcBuildMetadata.json'), 'utf8')) as {
    buildOptions: { llamaCpp: { release: string } }
  }
  return { addon, build: `${metadata.buildOptions.llamaCpp.release}+node-llama-cpp.${version}` }
}

function resolveEntry(from: NodeJS.Require, name: string): string | undefined {
  try {
    return from.resolve(name)
  } catch {
    return undefined
  }
}
