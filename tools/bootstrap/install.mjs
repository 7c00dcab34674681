// Installs what is missing, exactly as the lockfile says, and remembers what was installed.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compileCache, lockedNode, nodeFlags } from './platform.mjs'

/** `runtime` leaves out development tools; `all` is what tests and checks need. */
export async function ensureInstalled(root, scope) {
  const want = { lock: lockDigest(root), scope }
  if (isInstalled(root, want)) return
  const release = await takeInstallLock(root)
  try {
    if (isInstalled(root, want)) return
    await npmCi(root, scope)
    if (!lockedNode(root)) throw new Error('npm finished, but Node 24 is not in node_modules. Was npm run with --omit=optional? Node itself is an optional dependency: run `npm ci` without that flag.')
    writeFileSync(stampPath(root), JSON.stringify(want))
  } finally {
    release()
  }
}

const stampPath = (root) => join(root, 'node_modules', '.tacit-install.json')

function lockDigest(root) {
  return createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex')
}

function isInstalled(root, want) {
  if (!lockedNode(root)) return false
  try {
    const have = JSON.parse(readFileSync(stampPath(root), 'utf8'))
    return have.lock === want.lock && (have.scope === 'all' || have.scope === want.scope)
  } catch {
    return false
  }
}

// A directory is the lock: mkdir is atomic everywhere. Its holder touches it, so a lock left by a killed install goes stale.
async function takeInstallLock(root) {
  const path = join(root, '.cache', 'install.lock')
  mkdirSync(join(root, '.cache'), { recursive: true })
  let told = false
  for (;;) {
    try {
      mkdirSync(path)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (existsSync(path) && Date.now() - statSync(path).mtimeMs > 15_000) {
        try { rmdirSync(path) } catch {}
        continue
      }
      if (!told) process.stderr.write('Waiting for another install of this checkout to finish ...\n')
      told = true
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
  const beat = setInterval(() => { try { const now = new Date(); utimesSync(path, now, now) } catch {} }, 3_000)
  return () => { clearInterval(beat); try { rmdirSync(path) } catch {} }
}

async function npmCi(root, scope) {
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--include=optional', '--loglevel=http', '--no-progress']
  if (scope === 'runtime') args.push('--omit=dev')
  const size = scope === 'runtime' ? 'about 170 MB to download the first time' : 'with development tools, several hundred MB the first time'
  process.stderr.write(`Installing from the lockfile (${size}) ...\n`)
  const started = Date.now()
  const total = countLocked(root, scope)
  let fetched = 0
  const tick = setInterval(() => {
    process.stderr.write(`  ... ${Math.round((Date.now() - started) / 1000)} s, ${fetched < total ? `${fetched} of about ${total} packages fetched` : 'unpacking'}\n`)
  }, 3_000)
  try {
    await new Promise((resolve, reject) => {
      // npm's own report goes to stderr: stdout belongs to the command that the user asked for.
      const child = spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' })
      let rest = ''
      child.stderr.on('data', (chunk) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop()
        for (const line of lines) {
          if (/^npm http fetch GET 200/.test(line)) fetched++
          else if (!/^npm (?:http|warn)/i.test(line) && line.trim() !== '') process.stderr.write(`${line}\n`)
        }
      })
      child.stdout.resume()
      child.on('error', (error) => reject(new Error(`npm could not be started (${error.code}). Install npm 9 or newer and run the command again.`)))
      child.on('close', (code) => code === 0 ? resolve() : reject(new Error(`npm ci failed with exit code ${code}. Its message is above; most often the network or the disk is the reason. Run the command again to retry.`)))
    })
  } finally {
    clearInterval(tick)
  }
  warmCompileCache(root)
  process.stderr.write(`Installed in ${Math.round((Date.now() - started) / 1000)} s.\n`)
}

// Packages of the lockfile that this machine gets; those for other platforms are not downloaded.
function countLocked(root, scope) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  return Object.entries(packages).filter(([path, entry]) => {
    const fits = (wanted, own) => wanted === undefined || wanted.includes(own)
    return path.startsWith('node_modules/') && !entry.link && !(scope === 'runtime' && entry.dev) && fits(entry.os, process.platform) && fits(entry.cpu, process.arch)
  }).length
}

// Loads what a start loads once, so that the first start finds its code compiled. Failing costs speed only.
function warmCompileCache(root) {
  const node = lockedNode(root)
  if (!node) return
  process.stderr.write('  ... preparing the first start\n')
  const env = { ...process.env, NODE_COMPILE_CACHE: compileCache(root) }
  spawnSync(node, [...nodeFlags, join(root, 'tools/bootstrap/warm.ts')], { cwd: root, stdio: 'ignore', env, timeout: 60_000 })
}
