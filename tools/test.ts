// npm test: every *.test.ts from source, no build. --full adds *.full.test.ts, the slow suites. *.browser.test.ts run when
// there is a Chromium; with --browser, or when a path asks for them, a missing Chromium is a failure.
// Further arguments keep only test files whose path contains one of them.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { findChromium } from './chromium.ts'
import { nodeFlags } from './command.ts'
import { repositoryRoot } from './repository.ts'

const full = process.argv.includes('--full')
const only = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const wantsBrowser = process.argv.includes('--browser') || only.some((part) => part.includes('browser'))
const hasChromium = findChromium() !== undefined
const wanted = globSync('{packages,apps}/*/test/**/*.test.ts', { cwd: repositoryRoot })
  .concat(globSync('{test,tools}/**/*.test.ts', { cwd: repositoryRoot }))
  .filter((file) => full || !file.endsWith('.full.test.ts'))
  .filter((file) => only.length === 0 || only.some((part) => file.includes(part)))
  .sort()
const inBrowser = wanted.filter((file) => file.endsWith('.browser.test.ts'))
const files = hasChromium ? wanted : wanted.filter((file) => !inBrowser.includes(file))
const notRun = hasChromium ? 0 : inBrowser.length
if (notRun > 0 && (wantsBrowser || files.length === 0)) {
  console.error(`${notRun} test file(s) need a Chromium, and there is none. Install one, or set TACIT_CHROMIUM to its path.`)
  process.exit(1)
}
if (files.length === 0) {
  console.error('No test file matches.')
  process.exit(1)
}
const result = spawnSync(
  process.execPath,
  [
    ...nodeFlags,
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${full ? 3_600_000 : 240_000}`,
    `--test-reporter=${process.env.CI ? 'spec' : 'spec'}`,
    ...files,
  ],
  { cwd: repositoryRoot, stdio: 'inherit' },
)
if (notRun > 0) console.log(`NOT RUN: ${notRun} test file(s) that need a Chromium (none found): ${inBrowser.join(', ')}`)
process.exit(result.status ?? 1)
