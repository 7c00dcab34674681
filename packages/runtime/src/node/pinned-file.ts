// A file that is hashed and then loaded must be one and the same. It is opened once; the hash is taken over that open
// file; the loader is given a path that leads to the same open file where the system has one (Linux); and its identity,
// size and change times are compared before the hash and after the load, so that a write in between is noticed.
// Limit: a writer with the power to set the change time of the file (an administrator) is not noticed.
import { createHash } from 'node:crypto'
import { type FileHandle, open, stat } from 'node:fs/promises'
import type { ModelDigest } from '../engine.ts'

/** An open file with the digest of its bytes. */
export type PinnedFile = AsyncDisposable & {
  readonly handle: FileHandle
  readonly digest: ModelDigest
  readonly sizeBytes: number
  /** Hand this to a loader that opens by path. */
  readonly loadPath: string
  /** False when the file was written to, or the path now leads elsewhere and the loader may have followed it. */
  unchanged(): Promise<boolean>
}

/** Opens and hashes; rejects with the system's error when the file cannot be read. */
export async function openPinned(path: string): Promise<PinnedFile> {
  const handle = await open(path, 'r')
  try {
    const before = await identity(handle)
    if (!before.isFile) throw Object.assign(new Error('Not a regular file.'), { code: 'EISDIR' })
    const digest = await sha256(handle)
    const descriptorPath = `/proc/self/fd/${handle.fd}`
    // Where /proc is not mounted, the path itself is compared before and after.
    const throughDescriptor = (await identity(descriptorPath).catch(() => undefined))?.text === before.text
    return {
      handle,
      digest,
      sizeBytes: before.sizeBytes,
      loadPath: throughDescriptor ? descriptorPath : path,
      async unchanged() {
        if ((await identity(handle)).text !== before.text) return false
        return throughDescriptor || (await identity(path)).text === before.text
      },
      [Symbol.asyncDispose]: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** The digest of a file as it is now. */
export async function fileDigest(path: string): Promise<ModelDigest> {
  await using file = await openPinned(path)
  return file.digest
}

type Identity = { readonly text: string; readonly isFile: boolean; readonly sizeBytes: number }

async function identity(file: FileHandle | string): Promise<Identity> {
  const facts = typeof file === 'string' ? await stat(file, { bigint: true }) : await file.stat({ bigint: true })
  return {
    text: [facts.dev, facts.ino, facts.size, facts.mtimeNs, facts.ctimeNs].join(' '),
    isFile: facts.isFile(),
    sizeBytes: Number(facts.size),
  }
}

async function sha256(handle: FileHandle): Promise<ModelDigest> {
  const hash = createHash('sha256')
  const chunk = Buffer.allocUnsafe(1 << 20)
  for (let offset = 0; ; ) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, offset)
    if (bytesRead === 0) return `sha256:${hash.digest('hex')}`
    hash.update(chunk.subarray(0, bytesRead))
    offset += bytesRead
  }
}
