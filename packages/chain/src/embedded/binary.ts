import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BinaryMissingError } from '../errors.ts'

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/**
 * Where anvil is: in the platform package that npm installed beside `@foundry-rs/anvil`.
 * @throws BinaryMissingError
 */
export function resolveAnvil(platform: string = process.platform, architecture: string = process.arch): string {
  const name = `${platform}-${architecture}`
  try {
    const fromHere = createRequire(import.meta.url)
    const fromWrapper = createRequire(fromHere.resolve('@foundry-rs/anvil/package.json'))
    const manifest = fromWrapper.resolve(`@foundry-rs/anvil-${platform}-${architectures[architecture] ?? architecture}/package.json`)
    const path = join(dirname(manifest), 'bin', platform === 'win32' ? 'anvil.exe' : 'anvil')
    if (existsSync(path)) return path
  } catch (cause) {
    throw new BinaryMissingError({ platform: name, cause })
  }
  throw new BinaryMissingError({ platform: name })
}
