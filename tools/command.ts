// Runs a development command with inherited output and reports its exit code.
import { spawnSync } from 'node:child_process'
import { repositoryRoot } from './repository.ts'

export function runCommand(title: string, command: string, args: readonly string[]): boolean {
  const started = performance.now()
  const result = spawnSync(command, args, { cwd: repositoryRoot, stdio: 'inherit' })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const ok = result.status === 0
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${title} (${seconds} s)`)
  if (result.error) console.error(result.error.message)
  return ok
}

export const nodeFlags: readonly string[] = ['--conditions=tacit-source', '--disable-warning=ExperimentalWarning']
