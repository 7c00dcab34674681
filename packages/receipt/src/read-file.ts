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
    return input instanceof Uint8Array ? readBytes(input) : readValue(input)
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
