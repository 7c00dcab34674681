import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { maxReceiptFileBytes, parseJson, receiptFileSchema } from '@tacit/protocol'
import type { Command } from '../command.ts'
import { shorten, table } from '../format.ts'

export const receipts: Command = {
  name: 'receipts',
  summary: 'Lists the receipts you hold, newest first.',
  usage: 'tacit receipts',
  async run({ dataDir, say, json }) {
    const folder = join(dataDir, 'client', 'receipts')
    const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : []
    const entries = files
      .map((name) => read(join(folder, name)))
      .filter((entry) => entry !== undefined)
      .toSorted((a, b) => b.completedAt - a.completedAt)
    if (entries.length === 0) say('No receipts yet. `tacit infer "hello"` buys an answer and keeps one.')
    for (const line of table(
      entries.map((entry) => [
        new Date(entry.completedAt * 1000).toISOString().slice(0, 19),
        shorten(entry.model),
        shorten(entry.worker),
        entry.path,
      ]),
    ))
      say(line)
    if (json) console.log(JSON.stringify({ ok: true, receipts: entries }))
    return 0
  },
}

function read(path: string) {
  try {
    if (statSync(path).size > maxReceiptFileBytes) return undefined
    const { document } = receiptFileSchema(parseJson(readFileSync(path), 'A receipt', maxReceiptFileBytes), 'receipt').receipt
    return { path, model: document.model, worker: document.worker, completedAt: document.completedAt, chainId: document.chainId }
  } catch {
    return undefined // `tacit verify` says what is wrong with a file; a list only shows the good ones
  }
}
