// The boundary: hostile bytes or parsed JSON become a typed receipt file, or a reason why not.
import {
  canonicalBytes,
  encodeReceiptFile,
  equalBytes,
  type Json,
  MalformedError,
  maxReceiptFileBytes,
  parseJson,
  type ReceiptFile,
  receiptFileSchema,
} from '@tacit/protocol'

/** A receipt file, or why it is none. */
export type FileReading = { readonly file: ReceiptFile } | { readonly refused: string }

/**
 * Reads a receipt file. Bytes must be its one canonical form (a final line feed is allowed), which is what makes every byte
 * count; an object was parsed by somebody else, and only its content can be judged.
 */
export function readReceiptFile(input: unknown): FileReading {
  try {
    const bytes = asBytes(input)
    return bytes === undefined ? readValue(input) : readBytes(bytes)
  } catch (error) {
    if (error instanceof MalformedError) return { refused: error.message }
    throw error
  }
}

function readBytes(bytes: Uint8Array): FileReading {
  const value = parseJson(bytes, 'The receipt file', maxReceiptFileBytes)
  const body = bytes[bytes.length - 1] === 0x0a ? bytes.subarray(0, -1) : bytes
  // parseJson returns plain JSON values, which is what Json describes.
  if (!equalBytes(body, canonicalBytes(value as Json))) {
    return { refused: 'The file is not canonical JSON (RFC 8785): it was edited or reformatted after it was written.' }
  }
  return { file: receiptFileSchema(value, 'receipt file') }
}

function readValue(value: unknown): FileReading {
  const file = receiptFileSchema(value, 'receipt file')
  if (encodeReceiptFile(file).length > maxReceiptFileBytes)
    return { refused: `The receipt file is longer than ${maxReceiptFileBytes} bytes.` }
  return { file }
}

/** The bytes behind a typed array, also one of another realm (a frame, a worker's sandbox), or undefined when it is none. */
export function asBytes(input: unknown): Uint8Array | undefined {
  return ArrayBuffer.isView(input) ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength) : undefined
}
