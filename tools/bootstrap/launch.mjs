// Runs one TypeScript entry under the Node of the lockfile and passes signals and the exit code through.
import { spawn } from 'node:child_process'
import { compileCache, lockedNode, nodeFlags } from './platform.mjs'

export function launch(root, entry, args, cwd = process.cwd()) {
  const env = { ...process.env, NODE_COMPILE_CACHE: compileCache(root) }
  const child = spawn(lockedNode(root), [...nodeFlags, entry, ...args], { stdio: 'inherit', cwd, env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => { if (signal !== 'SIGINT') child.kill(signal) })
  child.on('error', (error) => { process.stderr.write(`Could not start ${entry}: ${error.message}\n`); process.exit(1) })
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
}
