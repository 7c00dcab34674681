// The published measurement: three attacks on plain and obfuscated builds of one model, judged by its real weights.
import { type Graph, parseOnnx, type Q8Model } from '@tacit/model'
import { type CompileOptions, compileModel, type ModelSource } from '../compile-model.ts'
import { attackExtract } from './attack-extract.ts'
import { attackCollude } from './collusion.ts'
import { type RecoveryRate, recoveryRate } from './recovery-rate.ts'
import { holderSeed, traceLeak } from './trace-leak.ts'
import { attackExtractTraced } from './traced-attack.ts'
import { trueLayers } from './true-layers.ts'

export type AttackReport = {
  readonly plain: RecoveryRate
  readonly untraced: RecoveryRate
  readonly traced: RecoveryRate
  readonly colluding: RecoveryRate
  /** Whether the holder is still named after nothing, an untraced extraction, a traced one, and collusion. */
  readonly markSurvives: { readonly file: boolean; readonly untraced: boolean; readonly traced: boolean; readonly colluding: boolean }
  readonly kernelRuns: number
}

/**
 * What a host recovers from copies that the given options and two holders' seeds make.
 *
 * @example
 * const { untraced, markSurvives } = await attackReport(onnxBytes, { profile: 'f32' })
 */
export async function attackReport(source: ModelSource, options: CompileOptions): Promise<AttackReport> {
  const model: Graph | Q8Model = source instanceof Uint8Array ? parseOnnx(source) : source
  const truth = trueLayers(model)
  const ownerSecret = new Uint8Array(32).fill(1)
  const holders = ['first holder', 'second holder', 'somebody else']
  const copyOf = (holder: string) =>
    compileModel(model, { ...options, obfuscate: { ...options.obfuscate, seed: holderSeed(ownerSecret, holder) } })
  const { obfuscate: _, ...plainOptions } = options
  const plain = attackExtract(await compileModel(model, plainOptions))
  const [first, second] = [await copyOf('first holder'), await copyOf('second holder')]
  const [untraced, traced] = [attackExtract(first), attackExtractTraced(first)]
  const { unmarked } = attackCollude(untraced, attackExtract(second))
  const isNamed = async (leaked: Parameters<typeof traceLeak>[0]): Promise<boolean> =>
    (await traceLeak(leaked, { source: model, options, ownerSecret, holders })).likelyHolder === 'first holder'
  return {
    plain: recoveryRate(plain.layers, truth),
    untraced: recoveryRate(untraced.layers, truth),
    traced: recoveryRate(traced.layers, truth),
    colluding: recoveryRate(unmarked.layers, truth),
    markSurvives: {
      file: await isNamed(first.wasm),
      untraced: await isNamed(untraced),
      traced: await isNamed(traced),
      colluding: await isNamed(unmarked),
    },
    kernelRuns: untraced.kernelRuns,
  }
}
