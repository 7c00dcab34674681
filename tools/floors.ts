// Checks the floors of ARCHITECTURE.md: a package imports only from floors below its own, declares what it
// imports, and floors 0 to 2 stay free of Node outside their `node` subpaths.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { repositoryRoot } from './repository.ts'

const floors: Readonly<Record<string, number>> = {
  protocol: 0,
  wasm: 1,
  session: 1,
  fhe: 1,
  proof: 1,
  model: 1,
  compiler: 2,
  runtime: 2,
  routing: 2,
  receipt: 2,
  exchange: 2,
  chain: 3,
  network: 3,
  client: 4,
  node: 5,
  gateway: 6,
  cli: 6,
}
const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^'"\n]*?(?:\n[^'"]*?)?\bfrom\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g

export function findFloorViolations(root: string): readonly string[] {
  const violations: string[] = []
  for (const manifestPath of globSync('{packages,apps}/*/package.json', { cwd: root }).sort()) {
    violations.push(...checkPackage(root, dirname(manifestPath)))
  }
  return violations
}

function checkPackage(root: string, folder: string): readonly string[] {
  const violations: string[] = []
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  const name = String(manifest.name).replace('@tacit/', '')
  const own = floors[name]
  if (own === undefined) return [`${folder}: not on any floor; add it to tools/floors.ts and ARCHITECTURE.md`]
  const declared: Record<string, string> = manifest.dependencies ?? {}
  for (const [dependency, version] of Object.entries(declared)) {
    if (!/^\d+\.\d+\.\d+/.test(version)) violations.push(`${folder}/package.json: ${dependency} is not pinned (${version})`)
    if (dependency.startsWith('@tacit/') && !mayImport(name, own, dependency))
      violations.push(`${folder}/package.json: ${name} (floor ${own}) may not depend on ${dependency}`)
  }
  for (const file of globSync('src/**/*.ts', { cwd: join(root, folder) }).sort()) {
    const text = readFileSync(join(root, folder, file), 'utf8')
    for (const match of text.matchAll(importPattern)) {
      const specifier = match[1] ?? match[2] ?? match[3] ?? ''
      if (specifier.startsWith('.')) {
        if (!specifier.endsWith('.ts') && !specifier.endsWith('.json'))
          violations.push(`${folder}/${file}: relative import without .ts extension: ${specifier}`)
        if (!existsSync(join(root, folder, dirname(file), specifier))) violations.push(`${folder}/${file}: ${specifier} does not exist`)
        continue
      }
      if (specifier.startsWith('node:')) {
        if (own <= 2 && !/^src\/node\//.test(file))
          violations.push(`${folder}/${file}: floor ${own} imports ${specifier} outside src/node/`)
        continue
      }
      const dependency = specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : (specifier.split('/')[0] ?? '')
      if (!(dependency in declared)) violations.push(`${folder}/${file}: imports ${specifier}, which package.json does not declare`)
      else if (dependency.startsWith('@tacit/') && !mayImport(name, own, dependency))
        violations.push(`${folder}/${file}: ${name} (floor ${own}) imports ${specifier}`)
    }
  }
  return violations
}

// Apps share the top floor; the CLI starts the gateway, never the other way round.
function mayImport(name: string, own: number, dependency: string): boolean {
  const other = floors[dependency.replace('@tacit/', '')]
  return other !== undefined && (other < own || (name === 'cli' && dependency === '@tacit/gateway'))
}

if (import.meta.main) {
  const violations = findFloorViolations(repositoryRoot)
  for (const violation of violations) console.error(violation)
  if (violations.length > 0) process.exit(1)
  console.log('floors: every import goes down')
}
