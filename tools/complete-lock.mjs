// After `npm install`: makes the lockfile good for every machine. Some registries lack platform builds of Foundry: their
// entries are put back, so that `npm ci` accepts the lockfile and the machines they are for install them. `engines` are dropped:
// everything runs under the Node of the lockfile, but npm would leave optional packages out under the Node that starts it.
import { readFileSync, writeFileSync } from 'node:fs'

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
const cpus = { amd64: 'x64', arm64: 'arm64' }
for (const tool of ['anvil', 'forge']) {
  const parent = lock.packages[`node_modules/@foundry-rs/${tool}`]
  for (const [name, version] of Object.entries(parent.optionalDependencies)) {
    const [os, cpu] = name.replace(`@foundry-rs/${tool}-`, '').split('-')
    const scope = parent.dev ? { dev: true } : {}
    lock.packages[`node_modules/${name}`] ??= { version, cpu: [cpus[cpu]], ...scope, license: parent.license, optional: true, os: [os] }
  }
}
for (const entry of Object.values(lock.packages)) delete entry.engines
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`)
