// npm test: every *.test.ts from source, no build. --full adds *.full.test.ts, the slow suites.
// Further arguments keep only test files whose path contains one of them.
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { nodeFlags } from './command.ts'
import { repositoryRoot } from './repository.ts'

const full = process.argv.includes('--full')
const only = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const files = globSync('{packages,apps}/*/test/**/*.test.ts', { cwd: repositoryRoot })
  .concat(globSync('{test,tools}/**/*.test.ts', { cwd: repositoryRoot }))
  .filter((file) => full || !file.endsWith('.full.test.ts'))
  .filter((file) => only.length === 0 || only.some((part) => file.includes(part)))
  .sort()
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
process.exit(result.status ?? 1)
