// What a client remembers, in a directory: vouchers and locks in SQLite, receipts as files that can be sent to anybody.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type ClientLedger, emptyClientLedger } from '@tacit/exchange'
import {
  type Address,
  type ChannelId,
  canonicalBytes,
  encodeOpenings,
  encodeReceiptFile,
  type Json,
  type ModelId,
  parseAddress,
  parseBytes32,
  parseChannelId,
  maxReceiptFileBytes,
  parseJson,
  parseModelId,
  type ReceiptFile,
  receiptFileSchema,
} from '@tacit/protocol'
import type { ClientStore, OwnChannel, SavedReceipt } from '../client-store.ts'
import { ClientDataCorruptError } from '../errors.ts'
import type { LedgerStore } from '../ledger-store.ts'

/** A store that also lists what it holds. */
export type FileClientStore = ClientStore & {
  channels(): readonly OwnChannel[]
  /** Locks that were asked back: no request uses them any more. */
  closingChannels(): readonly OwnChannel[]
  /** Takes a lock out of use; it is remembered until it is forgotten. */
  retireChannel(channel: OwnChannel): void
  forgetChannel(channel: OwnChannel): void
  /** By receipt id or job id. */
  findReceipt(id: string): ReceiptFile | undefined
  close(): void
}

const schema = `
create table if not exists ledger (channel text primary key, signed text not null, committed text not null, doubtful text not null default '0');
create table if not exists lock (worker text not null, model text not null, id text not null, salt text not null, locked text not null, primary key (worker, model));
create table if not exists closing (id text primary key, worker text not null, model text not null, salt text not null, locked text not null);
create table if not exists receipt (id text primary key, job text not null, path text not null);
create index if not exists receipt_job on receipt (job);
`

/**
 * Opens the store of a directory, created when missing.
 * @throws ClientDataCorruptError when its database cannot be read.
 */
export function openFileClientStore(directory: string): FileClientStore {
  const folders = {
    receipts: join(directory, 'receipts'),
    openings: join(directory, 'openings'),
    checkpoints: join(directory, 'checkpoints'),
  }
  for (const folder of [directory, ...Object.values(folders)]) mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(directory, 'client.sqlite')
  const db = openDatabase(path)
  const channelOf = db.prepare('select * from lock where worker = ? and model = ?')
  const writeLock = db.prepare('insert or replace into lock (worker, model, id, salt, locked) values (?, ?, ?, ?, ?)')
  const writeReceipt = db.prepare('insert or replace into receipt (id, job, path) values (?, ?, ?)')
  return {
    ledgers: sqliteLedgers(db),
    channel: (worker, model) => {
      const row = channelOf.get(worker, model)
      return row === undefined ? undefined : readChannel(row)
    },
    channels: () => db.prepare('select * from lock order by worker, model').all().map(readChannel),
    writeChannel: ({ worker, model, id, salt, locked }) => void writeLock.run(worker, model, id, salt, locked.toString()),
    closingChannels: () => db.prepare('select * from closing order by worker, model').all().map(readChannel),
    retireChannel: ({ worker, model, id, salt, locked }) => {
      // Remembered first: between the two it counts as both, never as none.
      db.prepare('insert or replace into closing (id, worker, model, salt, locked) values (?, ?, ?, ?, ?)').run(
        id,
        worker,
        model,
        salt,
        locked.toString(),
      )
      db.prepare('delete from lock where id = ?').run(id)
    },
    forgetChannel: ({ id }) => void db.prepare('delete from closing where id = ?').run(id),
    saveReceipt: async ({ id, file, openings, checkpoint }): Promise<SavedReceipt> => {
      const name = `${id.slice(2, 18)}.json`
      const saved = {
        receipt: join(folders.receipts, name),
        openings: join(folders.openings, name),
        checkpoint: checkpoint === null ? null : join(folders.checkpoints, name),
      }
      writeWhole(saved.openings, encodeOpenings(openings))
      if (saved.checkpoint !== null) writeWhole(saved.checkpoint, canonicalBytes(checkpoint as unknown as Json))
      writeWhole(saved.receipt, encodeReceiptFile(file))
      writeReceipt.run(id, file.receipt.document.job, saved.receipt)
      return saved
    },
    findReceipt: (id) => {
      const row = db.prepare('select path from receipt where id = ? or job = ?').get(id, id)
      if (row === undefined || !existsSync(String(row['path']))) return undefined
      return receiptFileSchema(parseJson(readFileSync(String(row['path'])), 'A stored receipt', maxReceiptFileBytes), 'receipt')
    },
    close: () => db.close(),
  }
}

function openDatabase(path: string): DatabaseSync {
  try {
    const db = new DatabaseSync(path)
    db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000')
    db.exec(schema)
    const columns = db.prepare('pragma table_info(ledger)').all()
    if (!columns.some(({ name }) => name === 'doubtful')) db.exec("alter table ledger add column doubtful text not null default '0'")
    return db
  } catch (cause) {
    throw new ClientDataCorruptError(path, { cause })
  }
}

function sqliteLedgers(db: DatabaseSync): LedgerStore {
  const read = db.prepare('select signed, committed, doubtful from ledger where channel = ?')
  const write = db.prepare('insert or replace into ledger (channel, signed, committed, doubtful) values (?, ?, ?, ?)')
  return {
    read(channel: ChannelId): ClientLedger {
      const row = read.get(channel)
      return row === undefined
        ? emptyClientLedger
        : {
            signed: BigInt(String(row['signed'])),
            committed: BigInt(String(row['committed'])),
            doubtful: BigInt(String(row['doubtful'])),
          }
    },
    write(channel: ChannelId, { signed, committed, doubtful }: ClientLedger): void {
      write.run(channel, signed.toString(), committed.toString(), doubtful.toString())
    },
  }
}

function readChannel(row: Record<string, unknown>): OwnChannel {
  return {
    id: parseChannelId(String(row['id'])),
    worker: parseAddress(String(row['worker'])) as Address,
    model: parseModelId(String(row['model'])) as ModelId,
    salt: parseBytes32(String(row['salt'])),
    locked: BigInt(String(row['locked'])),
  }
}

// Whole or not at all: a receipt that was paid for must not be half a file after a crash.
function writeWhole(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`
  const file = openSync(temporary, 'w', 0o600)
  try {
    writeSync(file, bytes)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
}
