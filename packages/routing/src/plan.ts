import { routingSizes } from './wire.ts'

/** What a client expects of its life, to choose how it gets scores. */
export type ExpectedUse = {
  /** Queries until it forgets what it holds. */
  readonly queries: number
  /** Versions of the directory that it will query. */
  readonly versions: number
  readonly hours: number
  /** Bytes of rows that change per hour. */
  readonly changedBytesPerHour: number
  /** Whether it holds the table already. */
  readonly holdsTable?: boolean
}

/** Which way was taken, and the comparison that led to it. */
export type RoutePlan = {
  readonly plan: 'download' | 'encrypted'
  readonly downloadBytes: number
  readonly encryptedBytes: number
  readonly reason: string
}

/** Chooses by expected bytes: `queries (up + down) + versions hint` against `table + hours changes`. */
export function chooseRoutePlan(count: number, dimensions: number, use: ExpectedUse): RoutePlan {
  const { up, down, hint } = routingSizes(count, dimensions)
  const encryptedBytes = use.queries * (up + down) + use.versions * hint
  const downloadBytes = (use.holdsTable === true ? 0 : count * dimensions) + use.hours * use.changedBytesPerHour
  const plan = use.holdsTable === true || downloadBytes <= encryptedBytes ? 'download' : 'encrypted'
  const reason =
    use.holdsTable === true
      ? 'the table is here already'
      : `${plan} moves ${Math.min(downloadBytes, encryptedBytes)} bytes, the other way ${Math.max(downloadBytes, encryptedBytes)}`
  return { plan, downloadBytes, encryptedBytes, reason }
}

/** Queries after which downloading an int8 table would have been cheaper. */
export function breakEvenQueries(count: number, dimensions: number): number {
  const { up, down, hint } = routingSizes(count, dimensions)
  return (count * dimensions) / (up + down + hint)
}
