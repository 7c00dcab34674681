// The frame of every role process: configuration from standard input, events to standard output, and an end when the
// parent is gone, however it went: its end of the pipe closes with it.
import { createInterface } from 'node:readline'
import { TacitError } from '@tacit/protocol'
import type { RoleCommand, RoleConfig, RoleEvent } from './role-config.ts'

/** A running role. */
export type Role = { readonly command: (command: RoleCommand) => Promise<void>; readonly stop: () => Promise<void> }

const stopMs = 5_000

type ConfigOf<Name extends RoleConfig['role']> = Extract<RoleConfig, { readonly role: Name }>

export async function hostRole<Name extends RoleConfig['role']>(
  name: Name,
  start: (config: ConfigOf<Name>, say: (event: RoleEvent) => void) => Promise<Role>,
): Promise<void> {
  // The parent decides when to stop; a Ctrl-C in the terminal reaches the whole group and must not cut jobs off.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  process.stdout.on('error', () => process.exit(1))
  const lines = createInterface({ input: process.stdin })
  const ended = new Promise<void>((resolve) => lines.once('close', resolve))
  let role: Role | undefined
  let first = true
  lines.on('line', (line) => {
    if (!first) {
      void role
        ?.command(JSON.parse(line) as RoleCommand)
        .catch((error: unknown) => say({ event: 'log', level: 'error', message: describe(error) }))
      return
    }
    first = false
    start(readConfig(name, line), say).then(
      (started) => {
        role = started
      },
      (error: unknown) => {
        say({ event: 'failed', code: error instanceof TacitError ? error.code : 'node.unexpected', message: describe(error) })
        process.exitCode = 1
        lines.close()
      },
    )
  })
  process.once('SIGTERM', () => lines.close())
  await ended
  setTimeout(() => process.exit(process.exitCode ?? 0), stopMs).unref()
  await role?.stop()
  process.exit(process.exitCode ?? 0)
}

// The parent is this very program; what is checked is that it meant this role.
function readConfig<Name extends RoleConfig['role']>(name: Name, line: string): ConfigOf<Name> {
  const config = JSON.parse(line) as RoleConfig
  if (config.role !== name) throw new TypeError(`the configuration is for a ${config.role}, this process is a ${name}`)
  return config as ConfigOf<Name>
}

export function say(event: RoleEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`)
}

/** One or a few lines for a log; never a stack. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
