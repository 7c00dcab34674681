// npm start: installs what a user needs, starts a local network and buys inferences.
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from './install.mjs'
import { launch } from './launch.mjs'
import { unsupportedReason } from './platform.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
try {
  const reason = unsupportedReason()
  if (reason) throw new Error(reason)
  await ensureInstalled(root, 'runtime')
  process.env.TACIT_STARTED_AT ??= String(Date.now())
  launch(root, join(root, 'apps/cli/src/main.ts'), ['start', ...process.argv.slice(2)], process.env.INIT_CWD ?? root)
} catch (error) {
  process.stderr.write(`${error.message}\n`)
  process.exit(1)
}
