import { basename, extname, join } from 'node:path'
import { loadZoo } from '@tacit/node/node'
import { openModelStore } from '@tacit/runtime/node'
import { type Command, type Invocation, textOf } from '../command.ts'
import { UsageError } from '../errors.ts'
import { formatTokens, table } from '../format.ts'
import { findNetwork } from '../network-file.ts'
import { openClient } from '../open-client.ts'

const usage = [
  'tacit models [list | add FILE [--name NAME] | remove NAME]',
  'tacit models compile MODEL.onnx [--profile f32|q8] [--obfuscate SEED | --holder NAME --holders FILE] [--out FILE.wasm] [--max-memory MIB] [--threads 1|2]',
  'tacit models compile MODEL.onnx --encrypted',
  'tacit models quantize MODEL.onnx --calibration FILE [--evaluation FILE] [--out FILE.onnx]',
  'tacit models run MODULE.wasm --input FILE [--manifest FILE] [--deadline-ms N] [--threads 1|2]',
  'tacit models trace-leak MODULE.wasm --original MODEL.onnx --holders FILE [--profile f32|q8]',
].join('\n       ')

/** Which options an action takes. */
const optionsOf: Readonly<Record<string, readonly string[]>> = {
  list: [],
  add: ['name'],
  remove: [],
  compile: ['profile', 'obfuscate', 'holder', 'holders', 'out', 'max-memory', 'threads', 'encrypted', 'dimension'],
  quantize: ['calibration', 'evaluation', 'out', 'dimension'],
  run: ['manifest', 'input', 'deadline-ms', 'threads'],
  'trace-leak': ['original', 'holders', 'profile'],
}

export const models: Command = {
  name: 'models',
  summary: 'Lists the models of the network and your own, adds a file of yours, or compiles one to a module.',
  usage,
  details: [
    '`add` takes a .gguf or .onnx file, looks inside, and pins the digest that is checked whenever it is opened.',
    'The workers of a local network serve what was added at their next start.',
    '`compile` writes a WebAssembly module and its manifest; with --encrypted it only says how encrypted inference would go.',
    '`quantize` turns a float network into int8 with the ranges of typical inputs, and says what that costs in accuracy. Its files are JSON:',
    '  [{ "x": [0.5, ...] }, ...], or { "inputs": [...], "labels": [3, ...] } with the right classes',
    '`trace-leak` names the holder whose copy a leaked module most likely is. --holders is a JSON file of the owner:',
    '  { "ownerSecret": "0x (32 bytes)", "holders": ["alice", "bob"] }',
  ],
  options: {
    name: { type: 'string', value: 'NAME', help: 'add: how to call it (default: the name of the file)' },
    profile: { type: 'string', value: 'f32|q8', help: 'compile, trace-leak: f32 (default), or q8 for a quantised file' },
    obfuscate: { type: 'string', value: 'SEED', help: 'compile: a build of its own for this seed' },
    holder: { type: 'string', value: 'NAME', help: 'compile: the copy of this holder' },
    holders: { type: 'string', value: 'FILE', help: 'compile, trace-leak: who holds copies' },
    out: { type: 'string', value: 'FILE', help: 'compile, quantize: where to write (default: MODEL.wasm or MODEL.int8.onnx here)' },
    dimension: {
      type: 'string',
      value: 'NAME=N',
      multiple: true,
      help: 'compile, quantize: the size of a free dimension, batch=1 say; may repeat',
    },
    calibration: { type: 'string', value: 'FILE', help: 'quantize: typical inputs' },
    evaluation: { type: 'string', value: 'FILE', help: 'quantize: other inputs to judge by, with labels or without' },
    'max-memory': { type: 'string', value: 'MIB', help: 'compile: refuse to need more (default: 256)' },
    encrypted: { type: 'boolean', help: 'compile: plan encrypted inference instead' },
    manifest: { type: 'string', value: 'FILE', help: 'run: the manifest (default: MODULE.manifest.json)' },
    input: { type: 'string', value: 'FILE', help: 'run: JSON, a list of numbers for each input by name' },
    'deadline-ms': { type: 'string', value: 'N', help: 'run: end it after this (default: 10000)' },
    threads: { type: 'string', value: '1|2', help: 'compile: 2 adds what two threads need to share a run; run: how many share it' },
    original: { type: 'string', value: 'FILE', help: 'trace-leak: the ONNX file of the owner' },
  },
  async run(invocation) {
    const [action = 'list', file] = invocation.positionals
    assertOptions(invocation, action)
    if (action === 'list') return list(invocation)
    if (action === 'add' && file !== undefined) return add(invocation, file)
    if (action === 'remove' && file !== undefined) return remove(invocation, file)
    // The compiler is loaded only by those who use it.
    if (action === 'compile' && file !== undefined) return (await import('./models-compile.ts')).compile(invocation, file, usage)
    if (action === 'quantize' && file !== undefined) return (await import('./models-quantize.ts')).quantize(invocation, file, usage)
    if (action === 'run' && file !== undefined) return (await import('./models-run.ts')).run(invocation, file, usage)
    if (action === 'trace-leak' && file !== undefined) return (await import('./models-trace-leak.ts')).traceLeak(invocation, file, usage)
    throw new UsageError(`There is no "models ${invocation.positionals.join(' ')}".`, usage)
  },
}

/** An option that another action takes is a mistake, not something to pass over. */
function assertOptions({ values }: Invocation, action: string): void {
  const known = Object.hasOwn(optionsOf, action) ? optionsOf[action] : undefined
  const stray = Object.keys(models.options ?? {}).find((name) => values[name] !== undefined && known?.includes(name) === false)
  if (stray !== undefined) throw new UsageError(`\`models ${action}\` takes no --${stray}.`, usage)
}

async function add({ dataDir, values, say, json }: Invocation, file: string): Promise<number> {
  const store = await openModelStore(join(dataDir, 'models'))
  const name = textOf(values, 'name')
  if (loadZoo().some(({ card }) => card.name === (name ?? basename(file, extname(file)))))
    throw new UsageError('A model of the zoo has that name; choose another with --name.', usage)
  const added = await store.add(file, name === undefined ? {} : { name })
  say(`Added ${added.name}: ${added.kind}, ${added.sizeBytes} bytes, ${added.digest}`)
  say('Workers serve it after the next `tacit up`; `tacit worker start --publish NAME` serves it on a joined network.')
  if (json) console.log(JSON.stringify({ ok: true, model: added }))
  return 0
}

async function remove({ dataDir, say, json }: Invocation, name: string): Promise<number> {
  await (await openModelStore(join(dataDir, 'models'))).remove(name)
  say(`Removed ${name} from this directory. Where it was published it stays published.`)
  if (json) console.log(JSON.stringify({ ok: true, removed: name }))
  return 0
}

async function list({ dataDir, say, json, signal }: Invocation): Promise<number> {
  const running = findNetwork(dataDir)
  const own = await (await openModelStore(join(dataDir, 'models'))).list()
  const published = running === undefined ? [] : await fetchPublished(dataDir, running.network, signal)
  if (running === undefined) say('No network is running here; these are your own files.')
  for (const line of table(
    published.map(({ card, id, stepPriceWei }) => [
      card?.name ?? id,
      card?.kind ?? '?',
      `${formatTokens(stepPriceWei)} a step`,
      card?.description ?? 'no card',
    ]),
  ))
    say(line)
  for (const line of table(own.map((model) => [model.name, model.kind, `${model.sizeBytes} bytes`, model.digest]))) say(`own: ${line}`)
  if (json)
    console.log(
      JSON.stringify({
        ok: true,
        published: published.map(({ stepPriceWei, ...rest }) => ({ ...rest, stepPriceWei: stepPriceWei.toString() })),
        own,
      }),
    )
  return 0
}

async function fetchPublished(dataDir: string, network: Parameters<typeof openClient>[1], signal: AbortSignal) {
  await using opened = await openClient(dataDir, network, { signal })
  return await opened.client.models({ signal })
}
