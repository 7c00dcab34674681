// npm run bench -- NAME [--json]: runs packages/*/bench/NAME.bench.ts or bench/NAME.bench.ts. Each exports
// `run(report): Promise<Metrics>`. The last line printed is {bench, machine, load, metrics}.
import { globSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os'
import { basename, join } from 'node:path'
import { repositoryRoot } from './repository.ts'

/** Metric keys end in `_speedup` (above 1 is good), `_ratio` (below 1 is good) or a unit. */
export type Metrics = Readonly<Record<string, number | null>>
export type Bench = { run(report: (line: string) => void): Promise<Metrics> }

const [name] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const files = globSync('{packages/*/bench,apps/*/bench,bench}/*.bench.ts', { cwd: repositoryRoot }).sort()
const file = files.find((path) => basename(path) === `${name}.bench.ts`)
if (file === undefined) {
  console.error(`Usage: npm run bench -- NAME [--json]\nBenchmarks: ${files.map((path) => basename(path, '.bench.ts')).join(', ')}`)
  process.exit(1)
}
const json = process.argv.includes('--json')
const load = Number((loadavg()[0] ?? 0).toFixed(2))
const say = (line: string): void => (json ? console.error(line) : console.log(line))
if (load >= 1) say(`The machine is loaded (${load}): ratios still count, absolute times do not.`)
const { run } = (await import(join(repositoryRoot, file))) as Bench
const metrics = await run(say)
for (const [key, value] of Object.entries(metrics)) say(`${key.padEnd(48)} ${value ?? 'not measured'}`)
const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
}
console.log(JSON.stringify({ bench: name, machine, load, metrics }))
process.exit(0)
