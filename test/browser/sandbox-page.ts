// What runs inside the tab of the sandbox test: the web's `loadModel`, and hashes of what it answers.
import { type ModuleManifest, moduleManifestSchema, traceRoot } from '@tacit/protocol'
import type { Threads } from '@tacit/runtime'
import { loadModel } from '@tacit/runtime/web'

export type SandboxPage = {
  /** Runs a served module on so many threads and gives its answer in hexadecimal and the trace root. */
  run(name: string, threads?: 1 | 2): Promise<{ readonly answer: string; readonly root: string }>
  /** How many threads two become here, and why. */
  threads(name: string): Promise<Threads>
  /** The code of the error that ends a run past its deadline. */
  overrun(name: string, deadlineMs: number, threads?: 1 | 2): Promise<string>
}

async function open(name: string, threads: 1 | 2 = 1) {
  const file = async (suffix: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(`/${name}.${suffix}`)).arrayBuffer())
  const manifest: ModuleManifest = moduleManifestSchema(JSON.parse(new TextDecoder().decode(await file('json'))), 'manifest')
  return { model: await loadModel(await file('wasm'), manifest, { threads }), input: await file('bin'), manifest }
}

const page: SandboxPage = {
  async run(name, threads) {
    const { model, input, manifest } = await open(name, threads)
    await using held = model
    const [tensor] = manifest.inputs
    if (tensor === undefined) throw new Error('a module without inputs')
    const { shape } = tensor
    const data =
      tensor.elementType === 'float32'
        ? { type: 'f32' as const, shape, data: new Float32Array(input.buffer as ArrayBuffer) }
        : { type: 'i8' as const, shape, data: new Int8Array(input.buffer as ArrayBuffer) }
    const { outputs, trace } = await held.run({ [tensor.name]: data }, { trace: 'hashes' })
    const answer = Object.values(outputs)[0]?.data
    const bytes = answer === undefined ? new Uint8Array(0) : new Uint8Array(answer.buffer, answer.byteOffset, answer.byteLength)
    return {
      answer: Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''),
      root: traceRoot(trace ?? [], new Uint8Array(32)),
    }
  },
  async threads(name) {
    const { model } = await open(name, 2)
    await using held = model
    return held.threads
  },
  async overrun(name, deadlineMs, threads) {
    const { model } = await open(name, threads)
    await using held = model
    try {
      await held.run({}, { deadlineMs })
      return 'no error'
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  },
}

Object.assign(globalThis, { sandbox: page })
