// The real command as a child process, for end-to-end tests.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const flags = ['--conditions=tacit-source', '--disable-warning=ExperimentalWarning']

export type Finished = { readonly code: number | null; readonly stdout: string; readonly stderr: string; readonly json: unknown }

/** Runs a command to its end; `json` is the last line of its output, if that is JSON. */
export async function runCli(dataDir: string, ...args: readonly string[]): Promise<Finished> {
  const cli = startCli(dataDir, ...args)
  const code = await cli.exited
  return { code, stdout: cli.stdout(), stderr: cli.stderr(), json: parseLast(cli.stdout()) }
}

export type StartedCli = {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  readonly stdout: () => string
  readonly stderr: () => string
  /** The first line of JSON that it prints; rejects when it ends before. */
  readonly firstJson: () => Promise<unknown>
}

/** Starts a command that stays. */
export function startCli(dataDir: string, ...args: readonly string[]): StartedCli {
  const child = spawn(process.execPath, [...flags, main, ...args, '--data', dataDir], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    child,
    exited,
    stdout: () => stdout,
    stderr: () => stderr,
    firstJson: async () => {
      let hasEnded = false
      void exited.then(() => {
        hasEnded = true
      })
      for (;;) {
        const line = stdout.split('\n').find((text) => text.startsWith('{'))
        if (line !== undefined) return JSON.parse(line)
        if (hasEnded) throw new Error(`it ended before it was ready:\n${stdout}\n${stderr}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
  }
}

function parseLast(stdout: string): unknown {
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  try {
    return JSON.parse(last)
  } catch {
    return undefined
  }
}

/** Polls until it holds; the last value decides. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<boolean> {
  const until = performance.now() + withinMs
  for (;;) {
    if (await holds()) return true
    if (performance.now() > until) return false
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
