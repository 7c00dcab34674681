// tacit models compile: a module and its manifest, or the plan of encrypted inference.
import { basename, extname } from 'node:path'
import { type CompileOptions, compileEncrypted, compileModel, describePlan, holderSeed } from '@tacit/compiler'
import { type Graph, Q8UnsupportedError } from '@tacit/model'
import { type Invocation, integerOf, textOf } from '../command.ts'
import { FileUnusableError, UsageError } from '../errors.ts'
import { printable } from '../format.ts'
import { readHolders } from '../holders-file.ts'
import { writeModule } from '../module-files.ts'
import { readOnnx } from '../read-onnx.ts'

export async function compile(invocation: Invocation, file: string, usage: string): Promise<number> {
  const graph = readOnnx(file, invocation.values, usage)
  return invocation.values['encrypted'] === true
    ? planEncrypted(invocation, graph, usage)
    : compileToModule(invocation, { graph, file, usage })
}

/**
 * The profile that was asked for.
 * @throws UsageError
 */
export function profileOf(values: Invocation['values'], usage: string): CompileOptions['profile'] {
  const profile = textOf(values, 'profile') ?? 'f32'
  if (profile !== 'f32' && profile !== 'q8') throw new UsageError('--profile is q8 or f32.', usage)
  return profile
}

/**
 * One thread unless two were asked for.
 * @throws UsageError
 */
export function threadsOf(values: Invocation['values'], usage: string): 1 | 2 {
  return integerOf(values, 'threads', { fallback: 1, min: 1, max: 2, usage }) === 2 ? 2 : 1
}

type Source = { readonly graph: Graph; readonly file: string; readonly usage: string }

async function compileToModule({ values, say, json }: Invocation, { graph, file, usage }: Source): Promise<number> {
  const out = textOf(values, 'out') ?? `${basename(file, extname(file))}.wasm`
  if (!out.endsWith('.wasm')) throw new UsageError('--out names a .wasm file; the manifest is written beside it.', usage)
  const seed = seedOf(values, usage)
  const maxMemory = integerOf(values, 'max-memory', { fallback: 256, min: 1, max: 4096, usage })
  const compiled = await compileGraph(graph, file, {
    profile: profileOf(values, usage),
    maxMemoryBytes: maxMemory * 2 ** 20,
    threads: threadsOf(values, usage),
    ...(seed === undefined ? {} : { obfuscate: { seed } }),
  })
  const written = writeModule(out, compiled)
  const { manifest } = compiled
  const memoryBytes = manifest.memoryPages * 65_536
  say(`module    ${written.module}, ${manifest.moduleBytes} bytes, ${manifest.moduleSha256}`)
  say(`manifest  ${written.manifest}`)
  say(`profile   ${manifest.profile}${seed === undefined ? '' : ', obfuscated (which does not hide weights from whoever runs it)'}`)
  say(`memory    ${(memoryBytes / 2 ** 20).toFixed(1)} MiB, fixed`)
  say(`work      ${manifest.runWork} instructions a run, exactly`)
  const operators = printable(manifest.layers.map(({ operator }) => operator).join(', '))
  if (manifest.parallel !== undefined) say('threads   1, or 2 that share each run')
  say(`layers    ${manifest.layers.length}${seed === undefined ? `: ${operators}` : ', their names stripped'}`)
  if (json)
    console.log(
      JSON.stringify({
        ok: true,
        ...written,
        profile: manifest.profile,
        obfuscated: seed !== undefined,
        moduleSha256: manifest.moduleSha256,
        moduleBytes: manifest.moduleBytes,
        memoryBytes,
        work: manifest.runWork,
        threads: manifest.parallel?.threads ?? 1,
        layers: manifest.layers.map(({ operator, runWork }) => ({ operator, work: runWork })),
      }),
    )
  return 0
}

/**
 * As `compileModel`, with a sentence of its own for a float network that should become int8.
 * @throws FileUnusableError, and what `compileModel` throws
 */
async function compileGraph(graph: Graph, file: string, options: CompileOptions): ReturnType<typeof compileModel> {
  const isQuantized = graph.nodes.some(({ operation }) => /^(Quantize|Dequantize|QLinear)/.test(operation.operator))
  try {
    return await compileModel(graph, options)
  } catch (cause) {
    if (!(cause instanceof Q8UnsupportedError) || isQuantized) throw cause
    throw new FileUnusableError(file, 'is a float network, which profile q8 cannot take as it is', {
      cause,
      details: [
        'Missing: scales and zero points of its activations, which only calibration on sample inputs gives.',
        'Quantise it first (`tacit models quantize`), or compile it with --profile f32.',
      ],
    })
  }
}

/** The seed that was typed, or that of a holder's copy. */
function seedOf(values: Invocation['values'], usage: string): string | Uint8Array | undefined {
  const [seed, holder, path] = [textOf(values, 'obfuscate'), textOf(values, 'holder'), textOf(values, 'holders')]
  if (holder === undefined && path === undefined) return seed
  if (holder === undefined || path === undefined || seed !== undefined)
    throw new UsageError('A copy for a holder needs --holder and --holders, and no --obfuscate.', usage)
  const { ownerSecret, holders } = readHolders(path)
  if (!holders.includes(holder)) throw new UsageError(`${path} does not list that holder.`, usage)
  return holderSeed(ownerSecret, holder)
}

function planEncrypted({ values, say, json }: Invocation, graph: Graph, usage: string): number {
  const other = ['profile', 'obfuscate', 'out', 'max-memory', 'holder', 'holders'].find((name) => values[name] !== undefined)
  if (other !== undefined) throw new UsageError(`--encrypted plans and writes nothing; --${other} does not go with it.`, usage)
  const { plan, estimatedMs, clientOperator } = compileEncrypted(graph)
  for (const line of describePlan({ plan, estimatedMs, clientOperator })) say(printable(line))
  if (json)
    console.log(
      JSON.stringify({
        ok: true,
        parameters: plan.parameters,
        levels: plan.level,
        inputs: plan.input.count,
        squared: plan.hidden.map(({ outputs }) => outputs),
        outputs: plan.output.outputs,
        ...plan.sizes,
        outputBound: plan.output.bound,
        errorBound: plan.error.bound,
        failureLog2: plan.error.failureLog2,
        estimatedMs,
        clientOperator,
      }),
    )
  return 0
}
