import type { FileHandle } from 'node:fs/promises'
import { type GgufHeader, parseGgufHeader } from '../gguf.ts'

/** The header of an open GGUF file with the bytes it was read from, or why there is none. */
export type GgufFile =
  | { readonly ok: true; readonly header: GgufHeader; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly reason: string }

const firstRead = 1 << 18
const longestHeader = 1 << 28

/** Reads as much of the beginning of the file as the header needs, at most 256 MiB. */
export async function readGgufFile(handle: FileHandle): Promise<GgufFile> {
  for (let length = firstRead; ; length *= 4) {
    const buffer = Buffer.alloc(length)
    const { bytesRead } = await handle.read(buffer, 0, length, 0)
    const bytes = buffer.subarray(0, bytesRead)
    const parsed = parseGgufHeader(bytes)
    if (parsed.ok) return { ok: true, header: parsed.header, bytes }
    const wholeFile = bytesRead < length
    if (!parsed.more || wholeFile || length >= longestHeader) return { ok: false, reason: parsed.reason }
  }
}
