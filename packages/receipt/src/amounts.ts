// Amounts as people read them. The network's token has 18 decimals (TacitToken is OpenZeppelin's ERC-20 with its default).

/** An amount in the token's smallest unit, in tokens: exact, without trailing zeros. */
export function inTokens(amountWei: bigint): string {
  const fraction = (amountWei % 10n ** 18n).toString().padStart(18, '0').replace(/0+$/, '')
  return `${amountWei / 10n ** 18n}${fraction === '' ? '' : `.${fraction}`} tokens`
}
