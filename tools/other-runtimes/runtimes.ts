// How each runtime is given a payload.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { findChromium } from '../chromium.ts'
import { installRuntimes } from './install.ts'
import { repositoryRoot } from '../repository.ts'
import type { PreparedPayload } from './payload.ts'

export type Runtime = {
  readonly name: string
  /** The payload's lines. */
  run(payload: PreparedPayload): Promise<readonly string[]>
}

const marker = 'LINES '

/**
 * This Node, then it with instructions and compilers switched off, Node 20, 22 and 26, workerd, Chromium. All are needed: whatever is missing
 * is an error.
 */
export function openRuntimes(): readonly Runtime[] {
  const { nodes, workerd } = installRuntimes()
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('There is no Chromium. Install one, or set TACIT_CHROMIUM to its path.')
  const here = `Node ${process.version.slice(1)}`
  const flags = [[], ['--no-enable-avx', '--no-enable-fma3'], ['--no-enable-avx2'], ['--liftoff-only'], ['--no-liftoff']]
  return [
    ...flags.map((list) => nodeRuntime([here, ...list].join(' '), process.execPath, list)),
    ...nodes.map(({ name, path }) => nodeRuntime(name, path, [])),
    workerdRuntime(workerd),
    chromiumRuntime(executablePath),
  ]
}

/** A program that imports the payload, in one file. */
async function bundle(program: string, format: 'esm' | 'iife' = 'esm'): Promise<string> {
  const result = await build({
    stdin: { contents: program, resolveDir: repositoryRoot },
    bundle: true,
    format,
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['tacit-source'],
    target: 'es2022',
    write: false,
    logLevel: 'silent',
  })
  return result.outputFiles[0]?.text ?? ''
}

async function inFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'tacit-runtime-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The lines after the marker in what a process printed. */
function linesIn(output: string): readonly string[] {
  const line = output.split('\n').find((text) => text.includes(marker))
  if (line === undefined) throw new Error(`The runtime printed no lines, but:\n${output.slice(0, 2000)}`)
  return JSON.parse(line.slice(line.indexOf(marker) + marker.length)) as readonly string[] // a payload's answer
}

function nodeRuntime(name: string, path: string, flags: readonly string[]): Runtime {
  const program = `
import { readFileSync } from 'node:fs'
import { run } from './payload.mjs'
const bytes = (name) => new Uint8Array(readFileSync(new URL(name, import.meta.url)))
const lines = await run({ bytes, module: (name) => new WebAssembly.Module(bytes(name)) })
console.log('${marker}' + JSON.stringify(lines))
`
  return {
    name,
    run: ({ entry, assets }) =>
      inFolder(async (folder) => {
        writeFileSync(join(folder, 'payload.mjs'), await bundle(`export { run } from '${entry}'`))
        writeFileSync(join(folder, 'program.mjs'), program)
        for (const [file, content] of assets) writeFileSync(join(folder, file), content)
        const output = execFileSync(path, [...flags, join(folder, 'program.mjs')], { encoding: 'utf8', timeout: 300_000, env: {} })
        return linesIn(output)
      }),
  }
}

// workerd is the runtime of Cloudflare Workers. `workerd test` calls a handler and listens to nothing. Modules are part of its
// configuration, as at the edge, where bytes never become code at run time; libraries that carry their kernels as bytes get the binding
// that workerd has for tests.
function workerdRuntime(path: string): Runtime {
  const version = execFileSync(path, ['--version'], { encoding: 'utf8' }).trim()
  const program = (assets: readonly string[]): string => `
${assets.map((file, i) => `import asset${i} from './${file}'`).join('\n')}
const assets = new Map([${assets.map((file, i) => `['${file}', asset${i}]`).join(', ')}])
export default {
  async test(controller, env) {
    const compiled = (bytes) => env.tests.newWasmModule(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes))
    const { Module, instantiate } = WebAssembly
    function PatchedModule(bytes) { return compiled(bytes) }
    PatchedModule.prototype = Module.prototype
    WebAssembly.Module = PatchedModule
    WebAssembly.compile = async (bytes) => compiled(bytes)
    WebAssembly.instantiate = async (source, imports) => {
      if (source instanceof Module) return instantiate(source, imports)
      const module = compiled(source)
      return { module, instance: new WebAssembly.Instance(module, imports) }
    }
    const { run } = await import('payload.mjs')
    const lines = await run({ module: (name) => assets.get(name), bytes: (name) => new Uint8Array(assets.get(name)) })
    console.log('${marker}' + JSON.stringify(lines))
  },
}
`
  return {
    name: version,
    run: ({ entry, assets }) =>
      inFolder(async (folder) => {
        const files = [...assets.keys()]
        const modules = [
          ...['program.mjs', 'payload.mjs'].map((file) => `(name = "${file}", esModule = embed "${file}")`),
          ...files.map((file) => `(name = "${file}", ${file.endsWith('.wasm') ? 'wasm' : 'data'} = embed "${file}")`),
        ]
        const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (services = [(name = "main", worker = .payload)]);
const payload :Workerd.Worker = (
  modules = [${modules.join(', ')}],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "tests", unsafeEval = void)],
);
`
        writeFileSync(join(folder, 'payload.mjs'), await bundle(`export { run } from '${entry}'`))
        writeFileSync(join(folder, 'program.mjs'), program(files))
        writeFileSync(join(folder, 'config.capnp'), config)
        for (const [file, content] of assets) writeFileSync(join(folder, basename(file)), content)
        return linesIn(
          execFileSync(path, ['test', '--experimental', join(folder, 'config.capnp')], {
            encoding: 'utf8',
            timeout: 300_000,
            stdio: 'pipe',
          }),
        )
      }),
  }
}

function chromiumRuntime(executablePath: string): Runtime {
  const version = execFileSync(executablePath, ['--version'], { encoding: 'utf8', stdio: 'pipe' }).split(' built')[0]?.trim() ?? 'Chromium'
  const program = (entry: string): string => `
import { run } from '${entry}'
onmessage = async ({ data }) => {
  try {
    const bytes = (name) => Uint8Array.from(atob(data[name]), (letter) => letter.charCodeAt(0))
    postMessage({ lines: await run({ bytes, module: (name) => new WebAssembly.Module(bytes(name)) }) })
  } catch (error) {
    postMessage({ error: String(error) })
  }
}
`
  return {
    name: version,
    async run({ entry, assets }) {
      const encoded = Object.fromEntries([...assets].map(([name, content]) => [name, Buffer.from(content).toString('base64')]))
      const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] })
      try {
        const page = await browser.newPage()
        const answer = await page.evaluate(
          ([code, data]) =>
            new Promise<{ readonly lines?: readonly string[]; readonly error?: string }>((resolve) => {
              const url = URL.createObjectURL(new Blob([String(code)], { type: 'text/javascript' }))
              const worker = new Worker(url)
              worker.onmessage = ({ data: lines }) => resolve(lines)
              worker.onerror = ({ message }) => resolve({ error: message })
              worker.postMessage(data)
            }),
          [await bundle(program(entry), 'iife'), encoded] as const,
        )
        if (answer.lines === undefined) throw new Error(`${version}: ${answer.error}`)
        return answer.lines
      } finally {
        await browser.close()
      }
    },
  }
}
