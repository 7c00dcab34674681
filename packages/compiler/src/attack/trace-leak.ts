// Whose copy is this? Every holder gets a build from a seed of its own; a leaked file is compared with all of them. The answer is
// evidence for the owner and nothing more: whoever extracts the weights and writes them out in another order leaves no mark.
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, utf8 } from '@tacit/protocol'
import { decodeModule } from '@tacit/wasm'
import { type CompileOptions, compileModel, type ModelSource } from '../compile-model.ts'
import { attackExtract, type ExtractedLayer, type Extraction } from './attack-extract.ts'

/** HMAC-SHA-256(owner secret, "tacit/holder-seed/v1" | holder): the seed of one holder's copy. */
export function holderSeed(ownerSecret: Uint8Array, holder: string): Uint8Array {
  return hmac(sha256, ownerSecret, concatBytes(utf8('tacit/holder-seed/v1'), utf8(holder)))
}

/** What the owner knows. */
export type LeakSearch = {
  readonly source: ModelSource
  /** As the copies were compiled; the seed of `obfuscate` is replaced by each holder's. */
  readonly options: CompileOptions
  readonly ownerSecret: Uint8Array
  readonly holders: readonly string[]
}

export type LeakSuspicion = {
  readonly holder: string
  /** Share of 64-byte blocks of weights that lie where this holder's copy has them, or of units in this holder's order. */
  readonly score: number
}

export type LeakReport = {
  readonly ranking: readonly LeakSuspicion[]
  /** The first of the ranking, where it stands out: a score of a half, and a fifth above the next one's. */
  readonly likelyHolder: string | undefined
}

/**
 * Ranks holders by how much of a leaked module, or of weights extracted from one, agrees with their copy.
 *
 * @example
 * const { likelyHolder } = await traceLeak(leakedWasm, { source, options, ownerSecret, holders: ['alice', 'bob'] })
 */
export async function traceLeak(leaked: Uint8Array | Extraction, search: LeakSearch): Promise<LeakReport> {
  const ranking: LeakSuspicion[] = []
  for (const holder of search.holders) {
    const seed = holderSeed(search.ownerSecret, holder)
    const copy = await compileModel(search.source, { ...search.options, obfuscate: { ...search.options.obfuscate, seed } })
    const score = leaked instanceof Uint8Array ? sharedBlocks(leaked, copy.wasm) : sharedOrder(leaked.layers, attackExtract(copy).layers)
    ranking.push({ holder, score })
  }
  ranking.sort((a, b) => b.score - a.score)
  const [first, second] = ranking
  const standsOut = first !== undefined && first.score >= 0.5 && first.score - (second?.score ?? 0) >= 0.2
  return { ranking, likelyHolder: standsOut ? first.holder : undefined }
}

/** Blocks of data at the same address with the same content; blocks of zeros say nothing. */
function sharedBlocks(leaked: Uint8Array, copy: Uint8Array): number {
  const blocks = blocksOf(copy)
  let shared = 0
  let total = 0
  for (const [address, content] of blocksOf(leaked)) {
    total++
    if (blocks.get(address) === content) shared++
  }
  return total === 0 ? 0 : shared / total
}

function blocksOf(wasm: Uint8Array): ReadonlyMap<number, string> {
  const blocks = new Map<number, string>()
  try {
    for (const { offset = 0, start, length } of decodeModule(wasm).data)
      for (let at = 0; at + 64 <= length; at += 64) {
        const block = wasm.subarray(start + at, start + at + 64)
        if (block.some((byte) => byte !== 0)) blocks.set(offset + at, block.join())
      }
  } catch {
    return blocks // not a module: nothing in common with anyone's
  }
  return blocks
}

/** Units that lie at the same place of the same layer, by their weights as a set (inputs may be permuted too). */
function sharedOrder(leaked: readonly ExtractedLayer[], copy: readonly ExtractedLayer[]): number {
  let shared = 0
  let total = 0
  for (const [i, layer] of leaked.entries()) {
    // The last layer's units are the answers: nobody permutes those.
    if (i + 1 === leaked.length) break
    for (const [j, unit] of layer.units.entries()) {
      total++
      const other = copy[i]?.units[j]
      if (other !== undefined && sortedKey(unit) === sortedKey(other)) shared++
    }
  }
  return total === 0 ? 0 : shared / total
}

function sortedKey(unit: Float64Array): string {
  return [...unit]
    .filter((value) => value !== 0)
    .sort((a, b) => a - b)
    .join()
}
