// npm run conformance -- NAME: measures this project against a suite that others wrote. tools/conformance/NAME/run.ts exports
// `run(): Promise<boolean>`; what a suite needs from outside is fetched by package name into .cache/.
import { globSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { repositoryRoot } from './repository.ts'

const [name] = process.argv.slice(2)
const suites = globSync('tools/conformance/*/run.ts', { cwd: repositoryRoot }).sort()
const suite = suites.find((path) => basename(dirname(path)) === name)
if (suite === undefined) {
  console.error(`Usage: npm run conformance -- NAME\nSuites: ${suites.map((path) => basename(dirname(path))).join(', ')}`)
  process.exit(1)
}
const { run } = (await import(join(repositoryRoot, suite))) as { run: () => Promise<boolean> }
process.exit((await run()) ? 0 : 1)
