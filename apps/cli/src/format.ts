/** An amount of tokens for a person: all digits that are not zero, at most six after the point. */
export function formatTokens(wei: bigint): string {
  const unit = 10n ** 18n
  const whole = wei / unit
  const fraction = (wei % unit).toString().padStart(18, '0')
  const shown = fraction.slice(0, 6).replace(/0+$/, '')
  if (shown === '' && wei % unit !== 0n && whole === 0n) return '<0.000001 TACIT'
  return `${whole}${shown === '' ? '' : `.${shown}`} TACIT`
}

/**
 * An amount that a person typed, in whole tokens with up to 18 digits after the point.
 * @returns undefined when it is none.
 */
export function parseTokens(text: string): bigint | undefined {
  const match = /^(\d{1,18})(?:\.(\d{1,18}))?$/.exec(text)
  if (match === null) return undefined
  const [, whole = '0', fraction = ''] = match
  return BigInt(whole) * 10n ** 18n + BigInt(fraction.padEnd(18, '0'))
}

/** 0x1234…abcd */
export function shorten(hex: string): string {
  return hex.length <= 14 ? hex : `${hex.slice(0, 8)}…${hex.slice(-4)}`
}

/** Columns, aligned by their widest cell. */
export function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '))
}

/**
 * Text from a stranger, safe to print: control characters other than newline and tab are shown as U+FFFD. A worker writes
 * answers and notices, and a terminal obeys escape sequences.
 */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
}
