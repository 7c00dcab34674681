// Runs one TypeScript entry under the Node of the lockfile and passes signals and the exit code through. The entry ends when
// this process does, however it does (its end of the IPC channel closes), and this process ends when its own parent does.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { compileCache, lockedNode, nodeFlags } from './platform.mjs'

const parentCheckMs = 500

export function launch(root, entry, args, cwd = process.cwd()) {
  const env = { ...process.env, NODE_COMPILE_CACHE: compileCache(root) }
  const child = spawn(lockedNode(root), [...nodeFlags, entry, ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], cwd, env })
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  // A Ctrl-C in a terminal reaches the whole group by itself.
  process.on('SIGINT', () => { if (!process.stdin.isTTY) child.kill('SIGINT') })
  const parents = parentsOfThisProcess()
  const watch = setInterval(() => {
    if (parentsOfThisProcess() !== parents && child.connected) child.disconnect()
  }, parentCheckMs)
  watch.unref()
  child.on('error', (error) => { process.stderr.write(`Could not start ${entry}: ${error.message}\n`); process.exit(1) })
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
}

// Whoever started us, and, since npm puts a shell between, whoever started that: when one of them dies, these numbers change.
function parentsOfThisProcess() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
    return `${process.ppid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]}`
  } catch {
    return String(process.ppid) // macOS: its shell gives way to the command, so that npm is the parent itself
  }
}
