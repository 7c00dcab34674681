// The worker's journal in SQLite (Node's own). Money (vouchers, ledgers, receipts) is written with synchronous=FULL: an entry
// survives a killed process and a power cut. Ciphertext lies in a file of its own with synchronous=NORMAL: it survives a killed
// process; after a power cut the session keys are gone anyway, and a lost tail can only be asked for again.
import { DatabaseSync } from 'node:sqlite'
import type { WorkerLedger } from '@tacit/exchange'
import {
  type ChannelId,
  canonicalJson,
  documentId,
  type JobId,
  type Json,
  parseAddress,
  parseBytes32,
  parseChannelId,
  parseModelId,
  parseJobId,
  parseJson,
  type SessionId,
  signedVoucherSchema,
  type SignedVoucher,
  utf8,
} from '@tacit/protocol'
import { CorruptDataError } from '../errors.ts'
import type { Earning, Journal, Redeemable, StoredStream } from '../worker/journal.ts'

const schema = `
create table if not exists meta (key text primary key, value text not null);
create table if not exists channel (id text primary key, credited text not null, reserved text not null, payer text, model text, salt text, voucher text, redeemed text not null default '0');
create table if not exists work (job text primary key, channel text not null, acceptance text not null, amount text not null, outcome text not null, receipt text, receipt_id text, redeemed integer not null default 0, accepted_at integer not null, model text not null default '');
create table if not exists batch (root text primary key, blind text not null, receipts text not null);
create index if not exists work_channel on work (channel, redeemed);
`
const streamSchema = `
create table if not exists job (session text not null, idx integer not null, nonce blob not null, started integer not null default (unixepoch()), final integer not null default 0, primary key (session, idx)) without rowid;
create table if not exists chunk (session text not null, idx integer not null, counter integer not null, bytes blob not null, primary key (session, idx, counter)) without rowid;
`
const schemaVersion = '1'
/** A job is remembered as seen for this long after its ciphertext is gone; the prekey of its session lives 12 h at most. */
const seenSeconds = 24 * 3600

/** @throws CorruptDataError when the file is not a journal of this version. */
export function openSqliteJournal(path: string): Journal {
  try {
    const money = openDatabase(path, 'full', schema)
    money.prepare('insert or ignore into meta values (?, ?)').run('version', schemaVersion)
    const row = money.prepare('select value from meta where key = ?').get('version')
    if (row?.['value'] !== schemaVersion) throw new Error(`journal version ${String(row?.['value'])}, expected ${schemaVersion}`)
    return new SqliteJournal(money, openDatabase(path.replace(/(\.sqlite)?$/, '.streams.sqlite'), 'normal', streamSchema))
  } catch (cause) {
    throw new CorruptDataError(path, {
      cause,
      details: ['Move the file away to start with an empty journal. Vouchers that are not redeemed are in it: keep it.'],
    })
  }
}

function openDatabase(path: string, synchronous: 'full' | 'normal', tables: string): DatabaseSync {
  const database = new DatabaseSync(path)
  database.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous}; pragma busy_timeout = 2000`)
  database.exec(tables)
  return database
}

class SqliteJournal implements Journal {
  readonly #money: Statements
  readonly #streams: Statements

  constructor(money: DatabaseSync, streams: DatabaseSync) {
    this.#money = new Statements(money)
    this.#streams = new Statements(streams)
  }

  ledger(channel: ChannelId): WorkerLedger {
    const row = this.#money.sql('select credited, reserved from channel where id = ?').get(channel)
    return row === undefined
      ? { credited: 0n, reserved: 0n }
      : { credited: BigInt(String(row['credited'])), reserved: BigInt(String(row['reserved'])) }
  }

  claimJob(session: SessionId, jobIndex: number, responseNonce: Uint8Array): void {
    this.#streams.sql('insert into job (session, idx, nonce) values (?, ?, ?)').run(session, jobIndex, responseNonce)
  }

  recordVoucher({ job, channel, voucher, ledger, acceptance }: Parameters<Journal['recordVoucher']>[0]): void {
    this.#money.transaction(() => {
      const before = this.ledger(voucher.channelId)
      this.#writeLedger(voucher.channelId, ledger)
      const held = this.#money.sql('select voucher from channel where id = ?').get(voucher.channelId)?.['voucher']
      if (typeof held !== 'string' || amountOf(voucher) > amountOf(readVoucher(held))) {
        this.#money
          .sql('update channel set voucher = ?, payer = ?, model = ?, salt = ? where id = ?')
          .run(canonicalJson(voucher), channel.payer, channel.model, channel.salt, voucher.channelId)
      }
      const paid = ledger.reserved - before.reserved
      this.#money
        .sql(
          `insert into work (job, channel, acceptance, amount, outcome, accepted_at) values (?, ?, ?, ?, 'running', ?)
         on conflict (job) do update set amount = ?`,
        )
        .run(
          job,
          voucher.channelId,
          canonicalJson(acceptance as unknown as Json),
          paid.toString(),
          acceptance.document.acceptedAt,
          (this.#amount(job) + paid).toString(),
        )
    })
  }

  recordLedger(channel: ChannelId, job: JobId, ledger: WorkerLedger): void {
    this.#money.transaction(() => {
      const before = this.ledger(channel)
      this.#writeLedger(channel, ledger)
      this.#money
        .sql(`update work set amount = ?, outcome = 'failed' where job = ?`)
        .run((this.#amount(job) + ledger.reserved - before.reserved).toString(), job)
    })
  }

  recordReceipt(channel: ChannelId, receipt: Parameters<Journal['recordReceipt']>[1]): void {
    const { document } = receipt
    this.#money
      .sql(`update work set outcome = 'receipt', receipt = ?, receipt_id = ?, model = ? where job = ? and channel = ?`)
      .run(canonicalJson(receipt as unknown as Json), documentId(document as unknown as Json), document.model, document.job, channel)
  }

  appendChunks(session: SessionId, jobIndex: number, firstCounter: number, chunks: readonly Uint8Array[], final: boolean): void {
    this.#streams.transaction(() => {
      for (const [offset, bytes] of chunks.entries())
        this.#streams.sql('insert into chunk values (?, ?, ?, ?)').run(session, jobIndex, firstCounter + offset, bytes)
      if (final) this.#streams.sql('update job set final = 1 where session = ? and idx = ?').run(session, jobIndex)
    })
  }

  stream(session: SessionId, jobIndex: number): StoredStream | undefined {
    const job = this.#streams.sql('select nonce, final from job where session = ? and idx = ?').get(session, jobIndex)
    if (job === undefined) return undefined
    const rows = this.#streams.sql('select bytes from chunk where session = ? and idx = ? order by counter').all(session, jobIndex)
    return { attemptNonce: job['nonce'] as Uint8Array, final: job['final'] === 1, chunks: rows.map((row) => row['bytes'] as Uint8Array) }
  }

  redeemable(): readonly Redeemable[] {
    const rows = this.#money.sql('select id, payer, model, salt, voucher, reserved, redeemed from channel where voucher is not null').all()
    return rows.flatMap((row) => {
      const voucher = readVoucher(String(row['voucher']))
      const reserved = BigInt(String(row['reserved']))
      const amount = reserved < amountOf(voucher) ? reserved : amountOf(voucher)
      if (amount <= BigInt(String(row['redeemed']))) return []
      const channel = parseChannelId(String(row['id']))
      const receipts = this.#money
        .sql('select receipt_id from work where channel = ? and redeemed = 0 and receipt_id is not null order by receipt_id')
        .all(channel)
      const key = {
        payer: parseAddress(String(row['payer'])),
        model: parseModelId(String(row['model'])),
        salt: parseBytes32(String(row['salt'])),
      }
      return [
        {
          channel,
          key,
          voucher,
          amount,
          receipts: receipts.map((receipt) => String(receipt['receipt_id'])),
          redeemed: BigInt(String(row['redeemed'])),
        },
      ]
    })
  }

  recordBatch({ root, blind, receipts }: Parameters<Journal['recordBatch']>[0]): void {
    this.#money.sql('insert into batch (root, blind, receipts) values (?, ?, ?)').run(root, blind, JSON.stringify(receipts))
  }

  markRedeemed(channel: ChannelId, amount: bigint, receipts: readonly string[]): void {
    this.#money.transaction(() => {
      this.#money.sql('update channel set redeemed = ? where id = ?').run(amount.toString(), channel)
      for (const receipt of receipts) this.#money.sql('update work set redeemed = 1 where receipt_id = ?').run(receipt)
    })
  }

  earnings(): readonly Earning[] {
    return this.#money
      .sql('select job, model, amount, outcome, accepted_at, redeemed from work order by accepted_at desc, job')
      .all()
      .map((row) => ({
        job: parseJobId(String(row['job'])),
        model: String(row['model']),
        amount: BigInt(String(row['amount'])),
        outcome: row['outcome'] as Earning['outcome'],
        acceptedAt: Number(row['accepted_at']),
        redeemed: row['redeemed'] === 1,
      }))
  }

  prune(beforeSeconds: number): void {
    this.#streams.transaction(() => {
      this.#streams.sql('delete from chunk where (session, idx) in (select session, idx from job where started < ?)').run(beforeSeconds)
      this.#streams.sql('delete from job where started < ?').run(beforeSeconds - seenSeconds)
    })
  }

  close(): void {
    this.#money.close()
    this.#streams.close()
  }

  #amount(job: JobId): bigint {
    const row = this.#money.sql('select amount from work where job = ?').get(job)
    return row === undefined ? 0n : BigInt(String(row['amount']))
  }

  #writeLedger(channel: ChannelId, ledger: WorkerLedger): void {
    this.#money
      .sql('insert into channel (id, credited, reserved) values (?, ?, ?) on conflict (id) do update set credited = ?, reserved = ?')
      .run(channel, ledger.credited.toString(), ledger.reserved.toString(), ledger.credited.toString(), ledger.reserved.toString())
  }
}

/** A database with its statements prepared once. */
class Statements {
  readonly #db: DatabaseSync
  readonly #prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>()

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  sql(text: string): ReturnType<DatabaseSync['prepare']> {
    let statement = this.#prepared.get(text)
    if (statement === undefined) {
      statement = this.#db.prepare(text)
      this.#prepared.set(text, statement)
    }
    return statement
  }

  transaction(work: () => void): void {
    this.#db.exec('begin immediate')
    try {
      work()
      this.#db.exec('commit')
    } catch (error) {
      this.#db.exec('rollback')
      throw error
    }
  }

  close(): void {
    this.#db.close()
  }
}

const amountOf = ({ maxClaimableAmount }: SignedVoucher): bigint => BigInt(maxClaimableAmount)

function readVoucher(json: string): SignedVoucher {
  return signedVoucherSchema(parseJson(utf8(json), 'A stored voucher', 4096), 'voucher')
}
