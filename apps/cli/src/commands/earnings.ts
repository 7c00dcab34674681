import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Earning } from '@tacit/node'
import { openSqliteJournal } from '@tacit/node/node'
import type { Command } from '../command.ts'
import { formatTokens, shorten, table } from '../format.ts'
import { listWorkers } from '../worker-directories.ts'

const shownJobs = 50

export const earnings: Command = {
  name: 'earnings',
  summary: 'Lists what the workers of this directory earned, job by job, from their own journals.',
  usage: 'tacit earnings',
  details: [
    'Needs no network and may be asked while the workers run. Redeemed means that the pool on chain has counted it;',
    'what is not redeemed yet is held by vouchers in the journal: keep it. Protocol and model owner take their shares on chain.',
  ],
  async run({ dataDir, say, json }) {
    const workers = listWorkers(dataDir).flatMap(({ name, path }) => {
      const journal = join(path, 'journal.sqlite')
      return existsSync(journal) ? [{ name, jobs: readEarnings(journal) }] : []
    })
    if (workers.length === 0) say('No worker ever ran from this directory.')
    for (const { name, jobs } of workers) {
      say(`${name}: ${totalsInWords(jobs)}`)
      for (const line of table(jobs.slice(0, shownJobs).map(row))) say(`  ${line}`)
      if (jobs.length > shownJobs) say(`  ... and ${jobs.length - shownJobs} older ones; --json lists all`)
    }
    if (json)
      console.log(
        JSON.stringify({
          ok: true,
          workers: workers.map(({ name, jobs }) => ({
            name,
            jobs: jobs.map(({ amount, ...rest }) => ({ ...rest, amountWei: amount.toString() })),
            totalWei: sum(jobs).toString(),
            redeemedWei: sum(jobs.filter(({ redeemed }) => redeemed)).toString(),
          })),
        }),
      )
    return 0
  },
}

function readEarnings(path: string): readonly Earning[] {
  const journal = openSqliteJournal(path)
  try {
    return journal.earnings()
  } finally {
    journal.close()
  }
}

function row({ acceptedAt, job, model, amount, outcome, redeemed }: Earning): readonly string[] {
  return [
    new Date(acceptedAt * 1000).toISOString().slice(0, 19),
    shorten(job),
    shorten(model === '' ? '?' : model),
    outcome === 'receipt' ? 'answered' : outcome,
    formatTokens(amount),
    redeemed ? 'redeemed' : 'not redeemed yet',
  ]
}

function sum(jobs: readonly Earning[]): bigint {
  return jobs.reduce((total, { amount }) => total + amount, 0n)
}

function totalsInWords(jobs: readonly Earning[]): string {
  const open = jobs.filter(({ redeemed }) => !redeemed)
  return `${jobs.length} job${jobs.length === 1 ? '' : 's'}, ${formatTokens(sum(jobs))}, of which ${formatTokens(sum(open))} not redeemed yet`
}
