// The keys and the chain id of one local network: drawn once per data directory, so that nothing signed for one network is
// good on another, and no key is one that everybody knows.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createSigner, hex, object, oneOf, parseHex, type Schema, type Signer, toHex, uint, type UintString } from '@tacit/protocol'
import { DirectoryCorruptError } from '../errors.ts'

/** Who exists on a local network from the start. */
export type EmbeddedKeys = {
  readonly chainId: bigint
  /** Deploys and owns the contracts, and is the treasury. */
  readonly owner: Signer
  /** Asks the faucet to drip for whoever has no gas yet. */
  readonly faucet: Signer
}

type KeysFile = { readonly type: 'tacit-local-keys/1'; readonly chainId: UintString; readonly owner: string; readonly faucet: string }

const keysFileSchema: Schema<KeysFile> = object<KeysFile>({
  type: oneOf('tacit-local-keys/1'),
  chainId: uint(53),
  owner: hex(32),
  faucet: hex(32),
})

/**
 * Reads the keys of a data directory, or draws them.
 * @throws DirectoryCorruptError
 */
export function openKeys(directory: string, random: (sizeBytes: number) => Uint8Array): EmbeddedKeys {
  const path = join(directory, 'keys.json')
  if (!existsSync(path)) writeSecretFile(path, JSON.stringify(drawKeys(random), null, 2))
  try {
    const file = keysFileSchema(JSON.parse(readFileSync(path, 'utf8')), 'keys.json')
    return {
      chainId: BigInt(file.chainId),
      owner: createSigner(parseHex(file.owner, 'A key', 32)),
      faucet: createSigner(parseHex(file.faucet, 'A key', 32)),
    }
  } catch (cause) {
    throw new DirectoryCorruptError({ file: path, reason: 'it is not the keys file of a local chain', cause })
  }
}

// Between 2^32 and 2^48: above every registered chain, and low enough that a legacy signature's v (EIP-155: 2 id + 35) and
// every JavaScript number stay exact.
function drawKeys(random: (sizeBytes: number) => Uint8Array): KeysFile {
  const chainId = (BigInt(toHex(random(6))) % (2n ** 48n - 2n ** 32n)) + 2n ** 32n
  return { type: 'tacit-local-keys/1', chainId: chainId.toString(), owner: toHex(random(32)), faucet: toHex(random(32)) }
}

/** Whole or not at all, and readable by its owner only from the first byte on. */
export function writeSecretFile(path: string, content: string): void {
  const temporary = `${path}.${process.pid}.tmp`
  const file = openSync(temporary, 'w', 0o600)
  try {
    writeSync(file, content)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}
