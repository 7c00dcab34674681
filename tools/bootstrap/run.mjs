// node run.mjs entry.ts [args]: installs everything that development needs, then runs the entry.
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './install.mjs'
import { launch } from './launch.mjs'
import { unsupportedReason } from './platform.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const [entry, ...args] = process.argv.slice(2)
try {
  const reason = unsupportedReason()
  if (reason) throw new Error(reason)
  await ensureInstalled(root, entry.startsWith('apps/') ? 'runtime' : 'all')
  launch(root, join(root, entry), args, entry.startsWith('apps/') ? (process.env.INIT_CWD ?? root) : root)
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
