// A chain whose tether was killed with it still running. Its pid is on disk, but a pid may have been given to somebody else
// since: only a process whose command line is anvil's, for this data directory, is ended.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const fileName = 'anvil.pid'

/** Remembers the running chain. */
export function recordAnvil(directory: string, pid: number): void {
  writeFileSync(join(directory, fileName), String(pid))
}

/** Forgets it. */
export function forgetAnvil(directory: string): void {
  rmSync(join(directory, fileName), { force: true })
}

/** An argument by which a chain of this directory is recognised. */
export function anvilMarker(directory: string): string {
  return join(directory, 'anvil-cache')
}

/** Ends the chain that a killed tether left behind; returns its pid when there was one. */
export async function endOrphan(directory: string): Promise<number | undefined> {
  const pid = readRecorded(directory)
  if (pid === undefined || !isOurAnvil(pid, directory)) return undefined
  process.kill(pid, 'SIGKILL')
  for (let i = 0; i < 200 && isOurAnvil(pid, directory); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  forgetAnvil(directory)
  return pid
}

function readRecorded(directory: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(directory, fileName), 'utf8'))
    return Number.isSafeInteger(pid) && pid > 1 ? pid : undefined
  } catch {
    return undefined
  }
}

function isOurAnvil(pid: number, directory: string): boolean {
  const command = commandLineOf(pid)
  return command !== undefined && /anvil/.test(command) && command.includes(anvilMarker(directory))
}

function commandLineOf(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') || undefined
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return undefined
  }
}
