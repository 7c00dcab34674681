// npm run generate: runs every generator under tools/*/generate.ts; with --check, fails if a checked-in file would change.
// A generator exports `generate(): Promise<ReadonlyMap<path, content>>`; paths are relative to the repository.
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { repositoryRoot } from './repository.ts'

export type Generated = ReadonlyMap<string, string | Uint8Array>

const check = process.argv.includes('--check')
const only = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const stale: string[] = []
for (const path of globSync('tools/**/generate.ts', { cwd: repositoryRoot }).sort()) {
  if (path === 'tools/generate.ts' || (only.length > 0 && !only.some((part) => path.includes(part)))) continue
  const { generate } = (await import(join(repositoryRoot, path))) as { generate: () => Promise<Generated> }
  for (const [file, content] of await generate()) {
    const target = join(repositoryRoot, file)
    const wanted = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content)
    if (readOrEmpty(target).equals(wanted)) continue
    stale.push(file)
    if (check) continue
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, wanted)
    console.log(`wrote ${file}`)
  }
}
if (check && stale.length > 0) {
  console.error(`These generated files are stale; run \`npm run generate\`:\n  ${stale.join('\n  ')}`)
  process.exit(1)
}

function readOrEmpty(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    return Buffer.alloc(0)
  }
}
