// npm run build: JavaScript and declarations into dist/ of every package, lower floors first.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from './command.ts'
import { repositoryRoot } from './repository.ts'

const folders = globSync('{packages,apps}/*', { cwd: repositoryRoot }).filter((folder) =>
  existsSync(join(repositoryRoot, folder, 'package.json')),
)
const built = new Set<string>()
let pending = folders.map((folder) => ({
  folder,
  ...(JSON.parse(readFileSync(join(repositoryRoot, folder, 'package.json'), 'utf8')) as {
    name: string
    dependencies?: Record<string, string>
  }),
}))
while (pending.length > 0) {
  const ready = pending.filter((entry) =>
    Object.keys(entry.dependencies ?? {}).every((name) => !name.startsWith('@tacit/') || built.has(name)),
  )
  if (ready.length === 0) throw new Error(`Internal dependencies form a cycle: ${pending.map((entry) => entry.name).join(', ')}`)
  for (const entry of ready) {
    if (!runCommand(`build ${entry.name}`, 'node_modules/.bin/tsc', ['-p', `${entry.folder}/tsconfig.json`])) process.exit(1)
    built.add(entry.name)
  }
  pending = pending.filter((entry) => !built.has(entry.name))
}
