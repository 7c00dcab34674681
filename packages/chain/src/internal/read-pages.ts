/** Which part of a list on chain; by default the first thousand entries. */
export type PageRange = { readonly offset?: number; readonly limit?: number }

const pageSize = 1_000

/** Reads a list page by page. An entry that moves while it is read (swapped into a gap) comes once. */
export async function readPages<T>(
  { offset = 0, limit = pageSize }: PageRange,
  read: (offset: bigint, limit: bigint) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const found = new Set<T>()
  for (let position = offset; position < offset + limit; position += pageSize) {
    const wanted = Math.min(pageSize, offset + limit - position)
    const page = await read(BigInt(position), BigInt(wanted))
    for (const entry of page) found.add(entry)
    if (page.length < wanted) break
  }
  return [...found]
}
