import { existsSync, readFileSync, renameSync, statSync } from 'node:fs'
import { loadFastSignatures, openKeyFile, writeDurably } from '@tacit/node/node'
import { createSigner, parseHex, toHex } from '@tacit/protocol'
import { type Command, type Invocation, textOf } from '../command.ts'
import { FaucetRefusedError, FileUnusableError, UsageError, WalletExistsError } from '../errors.ts'
import { fundFromFaucet, networkFaucet } from '../faucet.ts'
import { formatTokens, parseTokens, shorten, table } from '../format.ts'
import { decryptKeystore, encryptKeystore } from '../keystore.ts'
import { findNetwork, requireNetwork } from '../network-file.ts'
import { openClient, type OpenedClient, walletPath } from '../open-client.ts'
import { recoverLocks } from '../recover-locks.ts'
import { chooseNewPassword, readPassword } from '../password.ts'
import { deposit, fetchBalances, fetchLocks, unlockAll, withdraw } from '../wallet-actions.ts'

const usage = 'tacit wallet [show | fund | deposit AMOUNT | withdraw AMOUNT | unlock | recover | backup FILE | restore FILE]'

export const wallet: Command = {
  name: 'wallet',
  summary: 'Shows and moves what you pay with, and backs its key up.',
  usage,
  details: [
    'show              address, tokens, gas, pool and locks (works without a network: the address alone)',
    'fund              fills the pool, and the wallet from the faucet of a local network',
    'deposit AMOUNT    tokens from the wallet into the pool that requests are paid from; withdraw takes them back',
    'unlock            asks for every lock back; run it again after the delay to take the rest',
    'recover           finds locks on chain that this directory has forgotten, so that unlock can ask for them',
    'backup FILE       writes the key, encrypted with a password (Ethereum keystore, version 3)',
    'restore FILE      puts the key of a backup into this directory',
    'AMOUNT is in whole tokens, such as 12.5.',
  ],
  options: {
    'password-file': { type: 'string', value: 'FILE', help: 'password in the first line of a file, instead of asking for it' },
    replace: { type: 'boolean', help: 'restore: put another wallet in the place of the one that is here, which is kept beside it' },
    force: { type: 'boolean', help: 'backup: overwrite the file' },
  },
  async run(invocation) {
    const [action = 'show', argument, ...rest] = invocation.positionals
    if (rest.length > 0) throw new UsageError('There is one argument too many.', usage)
    switch (action) {
      case 'show':
        return await show(invocation)
      case 'fund':
        return await onNetwork(invocation, fund)
      case 'deposit':
      case 'withdraw': {
        const amountWei = parseTokens(argument ?? '')
        if (amountWei === undefined || amountWei === 0n) throw new UsageError('AMOUNT is a number of tokens, such as 12.5.', usage)
        return await onNetwork(invocation, (opened) => (action === 'deposit' ? deposit : withdraw)(opened, amountWei))
      }
      case 'unlock':
        return await unlock(invocation)
      case 'recover':
        return await onNetwork(invocation, async (opened) => {
          const found = await recoverLocks(opened, invocation.signal)
          invocation.say(
            `${found.length} forgotten lock${found.length === 1 ? '' : 's'} found. \`tacit wallet unlock\` asks for what is in them.`,
          )
        })
      case 'backup':
        return await backup(invocation, argument)
      case 'restore':
        return await restore(invocation, argument)
      default:
        throw new UsageError(`There is no "wallet ${action}".`, usage)
    }
  },
}

async function show(invocation: Invocation): Promise<number> {
  const { dataDir, say, json } = invocation
  if (findNetwork(dataDir) !== undefined) return await onNetwork(invocation, async () => {})
  const { address } = openKeyFile(walletPath(dataDir), await loadFastSignatures())
  say(`Wallet ${address}\nNo network is running here, so what it holds cannot be asked.`)
  if (json) console.log(JSON.stringify({ ok: true, address, network: null }))
  return 0
}

/** Does something and shows what the wallet holds then. */
async function onNetwork({ dataDir, say, json, signal }: Invocation, act: Action): Promise<number> {
  const { network } = requireNetwork(dataDir)
  await using opened = await openClient(dataDir, network, { signal })
  await act(opened, { faucet: networkFaucet(network, signal) })
  const [{ gasWei, tokensWei, poolWei }, locks] = await Promise.all([fetchBalances(opened), fetchLocks(opened)])
  const { address } = opened.payer
  say(`Wallet ${address}`)
  for (const line of table([
    ['  wallet', formatTokens(tokensWei)],
    ['  gas', `${formatTokens(gasWei).replace('TACIT', 'ETH')}`],
    ['  pool, free', formatTokens(poolWei)],
  ]))
    say(line)
  if (locks.length > 0) say('Locks:')
  for (const line of table(
    locks.map(({ channel, status, lockedWei, spentWei, unlockAt }) => [
      `  ${shorten(channel.worker)}`,
      shorten(channel.model),
      status === 'closing' ? `closing, free at ${new Date(unlockAt * 1000).toISOString().slice(0, 19)}Z` : status,
      `${formatTokens(spentWei)} spent of ${formatTokens(lockedWei)}`,
    ]),
  ))
    say(line)
  if (json)
    console.log(
      JSON.stringify({
        ok: true,
        address,
        network: network.deployment.chainId,
        gasWei: gasWei.toString(),
        tokensWei: tokensWei.toString(),
        poolWei: poolWei.toString(),
        locks: locks.map(({ channel, status, lockedWei, claimedWei, spentWei, unlockAt }) => ({
          channel: channel.id,
          worker: channel.worker,
          model: channel.model,
          status,
          lockedWei: lockedWei.toString(),
          claimedWei: claimedWei.toString(),
          spentWei: spentWei.toString(),
          unlockAt,
        })),
      }),
    )
  return 0
}

type Action = (opened: OpenedClient, context: { readonly faucet: ReturnType<typeof networkFaucet> }) => Promise<void>

// What is short: the pool from the wallet, and the wallet from the faucet.
const fund: Action = async (opened, { faucet }) => {
  if (faucet === undefined) throw new FaucetRefusedError('this network has none.')
  const { poolWei } = await fetchBalances(opened)
  if ((await fundFromFaucet(opened, faucet)) === poolWei) await faucet(opened.payer.address)
}

async function unlock({ dataDir, say, json, signal }: Invocation): Promise<number> {
  await using opened = await openClient(dataDir, requireNetwork(dataDir).network, { signal })
  const steps = await unlockAll(opened)
  if (steps.length === 0) say('Nothing is locked.')
  for (const { lock, outcome, unlockAt } of steps) {
    const when = `${new Date(unlockAt * 1000).toISOString().slice(0, 19)}Z`
    const words = {
      asked: `asked back; run this again after ${when}`,
      waiting: `asked back before; run this again after ${when}`,
      returned: 'the rest is in the pool again',
      gone: 'was closed already',
    }
    say(`${shorten(lock.channel.worker)} ${shorten(lock.channel.model)}: ${words[outcome]}`)
  }
  if (json)
    console.log(
      JSON.stringify({ ok: true, locks: steps.map(({ lock, outcome, unlockAt }) => ({ channel: lock.channel.id, outcome, unlockAt })) }),
    )
  return 0
}

async function backup({ dataDir, values, say, json, signal }: Invocation, file: string | undefined): Promise<number> {
  if (file === undefined) throw new UsageError('Name the file to write.', usage)
  if (existsSync(file) && values['force'] !== true) throw new FileUnusableError(file, 'exists already; --force overwrites it')
  const { address } = openKeyFile(walletPath(dataDir), await loadFastSignatures())
  const password = await chooseNewPassword({ file: textOf(values, 'password-file'), usage, signal })
  const secretKey = toHex(parseHex(readFileSync(walletPath(dataDir), 'utf8').trim(), 'A key file', 32))
  writeDurably(file, await encryptKeystore(secretKey, { address, password }))
  say(`Wrote ${file}, encrypted: the wallet ${address}. Locks come back to it from the chain; receipts are files of their own.`)
  if (json) console.log(JSON.stringify({ ok: true, address, file }))
  return 0
}

const maxBackupBytes = 65_536

async function restore({ dataDir, values, say, json, signal }: Invocation, file: string | undefined): Promise<number> {
  if (file === undefined) throw new UsageError('Name the backup.', usage)
  const text = readBackup(file)
  const password = await readPassword(`Password of ${file}: `, { file: textOf(values, 'password-file'), usage, signal })
  const secretKey = await decryptKeystore(text, { path: file, password })
  const signatures = await loadFastSignatures()
  const { address } = createSigner(parseHex(secretKey, 'A key', 32), signatures)
  const path = walletPath(dataDir)
  const present = existsSync(path) ? openKeyFile(path, signatures).address : undefined
  if (present !== undefined && present !== address) {
    if (values['replace'] !== true) throw new WalletExistsError(present, address)
    renameSync(path, `${path}.${present}`)
  }
  if (present !== address) writeDurably(path, `${secretKey}\n`)
  say(present === address ? `The wallet ${address} is here already.` : `Restored the wallet ${address}.`)
  if (json) console.log(JSON.stringify({ ok: true, address }))
  return 0
}

function readBackup(path: string): string {
  try {
    if (statSync(path).size > maxBackupBytes) throw new FileUnusableError(path, 'is too large for a wallet backup')
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof FileUnusableError) throw cause
    throw new FileUnusableError(path, 'cannot be read', { cause })
  }
}
