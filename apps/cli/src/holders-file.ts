// Who holds a copy of a model, and the secret that their marks come from. Only the owner of the model has this file.
import { list, object, parseHex, type Schema, text } from '@tacit/protocol'
import { FileUnusableError } from './errors.ts'
import { readJsonFile } from './module-files.ts'

export type Holders = { readonly ownerSecret: Uint8Array; readonly holders: readonly string[] }

type HoldersDocument = { readonly ownerSecret: string; readonly holders: readonly string[] }

const schema: Schema<HoldersDocument> = object<HoldersDocument>({ ownerSecret: text(66), holders: list(text(256), 10_000) })

/**
 * Reads `{ "ownerSecret": "0x… (32 bytes)", "holders": ["alice", …] }`.
 * @throws FileUnusableError, which never repeats what is in the file
 */
export function readHolders(path: string): Holders {
  const json = readJsonFile(path, 2 ** 22)
  try {
    const { ownerSecret, holders } = schema(json, 'holders')
    if (holders.length > 0 && new Set(holders).size === holders.length)
      return { ownerSecret: parseHex(ownerSecret, 'ownerSecret', 32), holders }
  } catch {
    // said below: the cause could hold a part of the secret
  }
  throw new FileUnusableError(path, 'is not a list of holders', {
    details: ['It needs "ownerSecret", 0x and 64 hex digits, and "holders", a list of different names.'],
  })
}
