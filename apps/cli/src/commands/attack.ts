// tacit attack extract: what a host that runs a compiled model gets out of it.
import {
  attackCollude,
  attackExtract,
  attackExtractTraced,
  type CompileOptions,
  compileModel,
  type Extraction,
  recoveryRate,
  trueLayers,
} from '@tacit/compiler'
import { importQ8, parseOnnx } from '@tacit/model'
import type { ModuleManifest } from '@tacit/protocol'
import { loadModel } from '@tacit/runtime/node'
import { type Command, type Invocation, textOf } from '../command.ts'
import { UsageError } from '../errors.ts'
import { table } from '../format.ts'
import { readBounded, readModule } from '../module-files.ts'

const usage = 'tacit attack extract MODULE.wasm [--manifest FILE] [--original MODEL.onnx]'

export const attack: Command = {
  name: 'attack',
  summary: 'Attacks a compiled model of yours, as the machine that runs it could, and says what it recovers.',
  usage,
  details: [
    'The attacker has the module and its manifest, knows the compiler, and knows no seed. It runs kernels alone and reads weights.',
    'With --original the weights are counted against the real ones, also for two holders who compare their copies.',
  ],
  options: {
    manifest: { type: 'string', value: 'FILE', help: 'the manifest (default: MODULE.manifest.json)' },
    original: { type: 'string', value: 'FILE', help: 'the ONNX file that the module was made from' },
  },
  async run(invocation) {
    const [action, file, ...rest] = invocation.positionals
    if (action !== 'extract' || file === undefined || rest.length > 0)
      throw new UsageError(`There is no "attack ${invocation.positionals.join(' ')}".`, usage)
    return extract(invocation, file)
  },
}

type Module = { readonly wasm: Uint8Array<ArrayBuffer>; readonly manifest: ModuleManifest }
type Mode = { readonly mode: 'untraced' | 'traced' | 'colluding'; readonly extraction: Extraction }

async function extract({ values, say, json }: Invocation, file: string): Promise<number> {
  const module = readModule(file, textOf(values, 'manifest'))
  // The attack runs the module's kernels in this process: what inspection does not accept does not get there.
  await using _inspected = await loadModel(module.wasm, module.manifest)
  const original = textOf(values, 'original')
  const modes = attackAlone(module)
  const results =
    original === undefined ? modes.map(({ mode, extraction }) => ({ mode, ...countOf(extraction) })) : await judge(module, modes, original)
  for (const line of table(results.map((result) => [result.mode, ...cellsOf(result)]))) say(line)
  say(`${modes[0]?.extraction.kernelRuns ?? 0} kernel runs, ${modes[0]?.extraction.dummies ?? 0} dummy kernels recognised.`)
  if (original === undefined) say('Give --original to count how many of these are the real weights, and to try two colluding holders.')
  say('Compiling and obfuscating do not hide weights from whoever runs the module (docs/limits.md).')
  if (json) console.log(JSON.stringify({ ok: true, kernelRuns: modes[0]?.extraction.kernelRuns ?? 0, modes: results }))
  return 0
}

function attackAlone(module: Module): readonly Mode[] {
  return [
    { mode: 'untraced', extraction: attackExtract(module) },
    { mode: 'traced', extraction: attackExtractTraced(module) },
  ]
}

type Result = { readonly mode: Mode['mode']; readonly layers: number; readonly weightsRead: number } & (
  | { readonly recovered?: never }
  | { readonly recovered: ReturnType<typeof recoveryRate> }
)

function countOf({ layers }: Extraction): { readonly layers: number; readonly weightsRead: number } {
  return {
    layers: layers.length,
    weightsRead: layers.reduce((sum, { units }) => sum + units.reduce((all, unit) => all + unit.length, 0), 0),
  }
}

/** Counts against the real weights. The second of the colluding holders has a copy that is made here, from another seed. */
async function judge(module: Module, alone: readonly Mode[], original: string): Promise<readonly Result[]> {
  const graph = parseOnnx(readBounded(original))
  const options: CompileOptions = { profile: module.manifest.profile, obfuscate: { seed: 'a second holder' } }
  const source = options.profile === 'q8' ? importQ8(graph) : graph
  const second = attackExtract(await compileModel(source, options))
  const truth = trueLayers(source)
  const modes: Mode[] = [...alone]
  if (alone[0] !== undefined) modes.push({ mode: 'colluding', extraction: attackCollude(alone[0].extraction, second).unmarked })
  return modes.map(({ mode, extraction }) => ({ mode, ...countOf(extraction), recovered: recoveryRate(extraction.layers, truth) }))
}

function cellsOf({ layers, weightsRead, recovered }: Result): readonly string[] {
  const read = `${weightsRead} weights of ${layers} layers read`
  if (recovered === undefined) return [read]
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  // What was read in a layout that the count does not match up is not counted: less than all is a lower bound, never a protection.
  const atLeast = recovered.weights < 1 ? 'at least ' : ''
  return [
    read,
    `${atLeast}${percent(recovered.weights)} of the real weights exactly`,
    `${percent(recovered.inPlace)} of units in their original place`,
  ]
}
