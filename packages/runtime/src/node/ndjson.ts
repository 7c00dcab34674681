/** A line was longer than anything an honest server sends, or not a JSON object. */
export class NdjsonBrokenError extends Error {
  override readonly name = 'NdjsonBrokenError'
}

/**
 * The objects of a newline-delimited JSON body, one by one, with lines bounded. Leaving the loop closes the body.
 * @throws NdjsonBrokenError
 */
export async function* readNdjson(
  body: ReadableStream<Uint8Array>,
  lineLimitBytes: number,
): AsyncGenerator<Record<string, unknown>, void, void> {
  const reader = body.getReader()
  let held = Buffer.alloc(0)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (value !== undefined) held = held.length === 0 ? Buffer.from(value) : Buffer.concat([held, value])
      for (let end = held.indexOf(10); end >= 0; end = held.indexOf(10)) {
        const line = held.subarray(0, end)
        held = held.subarray(end + 1)
        if (line.toString('utf8').trim() !== '') yield parseObject(line)
      }
      if (held.length > lineLimitBytes) throw new NdjsonBrokenError('A line is too long.')
      if (done) break
    }
    if (held.toString('utf8').trim() !== '') yield parseObject(held)
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function parseObject(line: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line.toString('utf8'))
  } catch {
    throw new NdjsonBrokenError('A line is not JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new NdjsonBrokenError('A line is not an object.')
  return { ...value }
}
