import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { commandNames, findCommand } from '../apps/cli/src/commands.ts'
import { whoSeesWhat } from '../apps/cli/src/privacy-table.ts'
import { repositoryRoot } from '../tools/repository.ts'

const pages = globSync('**/*.md', {
  cwd: repositoryRoot,
  exclude: (name) => ['node_modules', '.cache', '.git', 'dist', 'out', 'cache', '.tacit'].includes(name),
}).sort()
const read = (page: string): string => readFileSync(join(repositoryRoot, page), 'utf8')
const here = (page: string, path: string): string => resolve(repositoryRoot, dirname(page), path)

/** Pages that tell people what to type, and those whose paths must be true. */
const guides = ['README.md', 'ARCHITECTURE.md', 'SECURITY.md', 'CONTRIBUTING.md'].concat(
  pages.filter((page) => /^docs\/[^/]+\.md$/.test(page) || /^(packages|apps)\/[^/]+\/README\.md$/.test(page)),
)

describe('the documents', () => {
  it('link to what exists', () => {
    assert.ok(pages.length > 100, 'the pages were found')
    const broken = pages.flatMap((page) =>
      [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = '']) => target.split('#')[0] ?? '')
        .filter((target) => target !== '' && !/^[a-z][a-z+.-]*:/i.test(target) && !existsSync(here(page, target)))
        .map((target) => `${page}: ${target}`),
    )
    assert.deepEqual(broken, [])
  })

  it('link to headings that exist', () => {
    const broken = pages.flatMap((page) =>
      [...withoutCode(read(page)).matchAll(/\]\(([^)\s]*)#([^)\s]+)\)/g)]
        .filter(([, target = '']) => !/^[a-z][a-z+.-]*:/i.test(target))
        .filter(([, target = '', heading = '']) => !headingsOf(target === '' ? page : here(page, target)).includes(heading))
        .map(([, target, heading]) => `${page}: ${target}#${heading}`),
    )
    assert.deepEqual(broken, [])
  })

  it('name npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> }
    const unknown = guides.flatMap((page) =>
      [...read(page).matchAll(/\bnpm (?:run (?:--silent )?([\w:-]+)|(start|test)\b)/g)]
        .map(([, run, short]) => run ?? short ?? '')
        .filter((script) => !Object.hasOwn(scripts, script))
        .map((script) => `${page}: npm run ${script}`),
    )
    assert.deepEqual(unknown, [])
  })

  it('name tacit commands and options that exist', async () => {
    const uses = guides.flatMap((page) => commandUses(read(page)).map((use) => ({ page, ...use })))
    assert.ok(uses.length > 20, 'the commands were found')
    const wrong: string[] = []
    for (const { page, name, options } of uses) {
      if (!commandNames.includes(name)) {
        wrong.push(`${page}: tacit ${name}`)
        continue
      }
      const known = Object.keys((await findCommand(name))?.options ?? {}).concat('data', 'json', 'help')
      for (const option of options) if (!known.includes(option)) wrong.push(`${page}: tacit ${name} --${option}`)
    }
    assert.deepEqual(wrong, [])
  })

  it('name benchmarks that exist', () => {
    const benches = globSync('{packages/*/bench,apps/*/bench,bench}/*.bench.ts', { cwd: repositoryRoot }).join('\n')
    const unknown = guides.flatMap((page) =>
      [...read(page).matchAll(/npm run bench -- ([a-z][a-z-]*)/g)]
        .filter(([, name]) => !benches.includes(`/${name}.bench.ts`))
        .map(([use]) => `${page}: ${use}`),
    )
    assert.deepEqual(unknown, [])
  })

  it('name files of the repository that exist', () => {
    const missing = guides.flatMap((page) =>
      [...read(page).matchAll(/`((?:packages|apps|test|tools|contracts|docs|zoo)\/[\w./-]+\.(?:ts|md|mjs|sol|json|gz))`/g)]
        .map(([, path = '']) => path)
        .filter((path) => !existsSync(join(repositoryRoot, path)) && !existsSync(here(page, path)))
        .map((path) => `${page}: ${path}`),
    )
    assert.deepEqual(missing, [])
  })

  it('say in SECURITY.md what --explain-privacy says', () => {
    const security = read('SECURITY.md')
    const [head, ...rest] = whoSeesWhat().slice(0, whoSeesWhat().indexOf(''))
    assert.ok(head !== undefined && rest.length >= 5)
    for (const line of [head, ...rest]) {
      const row = `| ${line.trim().split(/ {2,}/).join(' | ')} |`
      assert.ok(security.includes(row), `SECURITY.md lacks the row: ${row}`)
    }
  })
})

/** Links in code are no links. */
function withoutCode(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '')
}

function headingsOf(page: string): readonly string[] {
  const text = existsSync(resolve(repositoryRoot, page)) ? readFileSync(resolve(repositoryRoot, page), 'utf8') : ''
  return [...withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-'),
  )
}

/** `tacit NAME --option` in code, also behind `npm run tacit --`. */
function commandUses(markdown: string): readonly { readonly name: string; readonly options: readonly string[] }[] {
  const code = [...markdown.matchAll(/`([^`\n]+)`/g)].map(([, text = '']) => text)
  const lines = markdown.split('\n').filter((line) => /^(?: {4}|\t)/.test(line))
  return [...code, ...lines].flatMap((text) =>
    [...text.matchAll(/(?:^|[\s(])tacit (?:-- )?([a-z][a-z-]*)([^#|]*)/g)].map(([, name = '', rest = '']) => ({
      name,
      options: [...rest.matchAll(/(?:^|\s|\[)--([a-z][a-z-]*)/g)].map(([, option = '']) => option),
    })),
  )
}
