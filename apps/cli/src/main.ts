// The tacit command. With --json standard output ends with exactly one JSON object; everything else goes to standard error.
import { existsSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TacitError } from '@tacit/protocol'
import { type Command, helpText, parseCommandLine } from './command.ts'
import { commandNames, findCommand, overview } from './commands.ts'
import { UsageError } from './errors.ts'

keepCompiledCode()
const controller = new AbortController()
let interrupts = 0
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The first asks everything to end; the third does not ask any more.
    controller.abort(new DOMException(`stopped by ${signal}`, 'AbortError'))
    if (++interrupts >= 3) process.exit(130)
  })
}
// Whoever started this process is gone, killed perhaps: what was started here must not outlive it.
process.once('disconnect', () => controller.abort(new DOMException('the starting process ended', 'AbortError')))
process.exitCode = await main(process.argv.slice(2))
process.exit()

// In a checkout: what Node makes of the sources is kept beside what npm installed, which halves the time every command and
// role needs to start. The folder is the checkout's own, never one that other users of the machine can write to.
function keepCompiledCode(): void {
  const modules = join(dirname(fileURLToPath(import.meta.url)), '../../../node_modules')
  if (!import.meta.url.endsWith('.ts') || !existsSync(modules)) return
  const { directory } = enableCompileCache(join(modules, '.cache', 'tacit'))
  if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= join(modules, '.cache', 'tacit') // for the roles
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    console.log(overview())
    return 0
  }
  if (name === '--version') {
    console.log('0.1.0')
    return 0
  }
  const json = args.includes('--json')
  try {
    const command = await findCommand(name)
    if (command === undefined)
      throw new UsageError(`There is no command "${name}". Commands: ${commandNames.join(', ')}.`, 'tacit <command> [options]')
    return await runCommand(command, args)
  } catch (error) {
    if (controller.signal.aborted && !(error instanceof TacitError)) return 130
    return report(error, json)
  }
}

async function runCommand(command: Command, args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine(command, args)
  if (values['help'] === true) {
    console.log(helpText(command))
    return 0
  }
  const json = values['json'] === true
  const data = typeof values['data'] === 'string' ? values['data'] : (process.env['TACIT_HOME'] ?? '.tacit')
  return command.run({
    values,
    positionals,
    dataDir: resolve(data),
    json,
    say: (line = '') => (json ? console.error(line) : console.log(line)),
    signal: controller.signal,
  })
}

function report(error: unknown, json: boolean): number {
  const known = error instanceof TacitError
  if (known) console.error(`${error.message}\n  (${error.code}; see ${error.docsPath})`)
  else
    console.error(
      error instanceof Error ? (process.env['TACIT_DEBUG'] === undefined ? `${error.name}: ${error.message}` : error.stack) : String(error),
    )
  if (json)
    console.log(
      JSON.stringify({
        ok: false,
        error: { code: known ? error.code : 'unexpected', message: error instanceof Error ? error.message : String(error) },
      }),
    )
  return error instanceof UsageError ? 64 : 1
}
