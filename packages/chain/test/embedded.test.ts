import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, it } from 'node:test'
import { inspect } from 'node:util'
import { privateKeyToAddress } from 'viem/accounts'
import {
  connectChain,
  createTransactionSender,
  developmentAccounts,
  fetchChannel,
  fetchTokenBalance,
  lockForPayee,
  redeemVoucher,
  TransactionRevertedError,
  transferTokens,
  waitForChain,
} from '../src/index.ts'
import { resolveAnvil, startEmbeddedChain } from '../src/embedded/index.ts'
import { isAlive, randomSigner, randomWord, rpc, temporaryDirectory, token, until } from './support/local-chain.ts'
import { openMarket, signClaim } from './support/market.ts'

const directories: string[] = []
async function newDirectory(): Promise<string> {
  const directory = await temporaryDirectory()
  directories.push(directory)
  return directory
}
after(() => directories.forEach((directory) => rmSync(directory, { recursive: true, force: true })))

/** A process that runs a chain, to be killed. */
async function startHolder(dataDir: string): Promise<{ child: ChildProcess; anvilPid: number; tetherPid: number; url: string }> {
  const child = spawn(process.execPath, ['--conditions=tacit-source', join(import.meta.dirname, 'support/hold-chain.ts'), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: child.stdout ?? assert.fail() }), 'line')) as [string]
  return { child, ...(JSON.parse(line) as { anvilPid: number; tetherPid: number; url: string }) }
}

describe('the embedded chain', () => {
  it('gives each data directory its own chain id and keys, none of them a development key', async () => {
    const seen = new Set<string>()
    for (const dataDir of [await newDirectory(), await newDirectory()]) {
      await using chain = await startEmbeddedChain({ dataDir })
      assert.ok(chain.chainId >= 2n ** 32n && chain.chainId < 2n ** 48n)
      assert.equal(await waitForChain(chain.url), chain.chainId)
      const keysFile = join(dataDir, 'chain/keys.json')
      assert.equal(statSync(keysFile).mode & 0o777, 0o600)
      const { owner, faucet } = JSON.parse(readFileSync(keysFile, 'utf8')) as { owner: `0x${string}`; faucet: `0x${string}` }
      for (const key of [owner, faucet]) {
        assert.ok(!developmentAccounts.includes(privateKeyToAddress(key).toLowerCase()))
        seen.add(key)
      }
      seen.add(chain.chainId.toString())
      assert.deepEqual(await rpc(chain, 'eth_accounts'), [], 'anvil has accounts of its own')
      for (const address of developmentAccounts) assert.equal(await rpc(chain, 'eth_getBalance', [address, 'latest']), '0x0')
      assert.ok(!inspect(chain.keys, { depth: 9, showHidden: true }).includes(owner.slice(2)), 'a key shows when the keys are printed')
    }
    assert.equal(seen.size, 6)
  })

  it('redeems exactly once across a restart, and loses no token', async () => {
    const dataDir = await newDirectory()
    const first = await startEmbeddedChain({ dataDir })
    const { client, worker, modelId } = await openMarket(first)
    const target = { payee: worker.address, modelId, salt: randomWord() }
    const { channelId } = await lockForPayee(client, { ...target, amountWei: 10n })
    const claim = signClaim(first.connection, client.signer, { ...target, payer: client.address }, 6n)
    await redeemVoucher(worker, claim)
    await first.stop()
    await using second = await startEmbeddedChain({ dataDir })
    assert.ok(second.isRestored)
    assert.deepEqual(second.deployment, first.deployment)
    const again = createTransactionSender(second.connection, worker.signer)
    const isReplay = (error: unknown): boolean => error instanceof TransactionRevertedError && error.reason === 'VoucherNotIncreasing'
    await assert.rejects(redeemVoucher(again, claim), isReplay)
    assert.equal((await fetchChannel(second.connection, channelId)).claimedWei, 6n)
    assert.equal(await fetchTokenBalance(second.connection, second.deployment.contracts.paymentPool), 5_000n * token)
    await redeemVoucher(again, signClaim(second.connection, client.signer, { ...target, payer: client.address }, 10n))
  })

  it('ends with its parent when that is killed, and keeps what was mined', async () => {
    const dataDir = await newDirectory()
    const { child, anvilPid, tetherPid, url } = await startHolder(dataDir)
    const block = Number(await rpc({ url }, 'eth_blockNumber'))
    await rpc({ url }, 'evm_mine')
    child.kill('SIGKILL')
    await until(() => !isAlive(anvilPid) && !isAlive(tetherPid), 'chain and tether to end')
    await using chain = await startEmbeddedChain({ dataDir })
    assert.ok(Number(await rpc(chain, 'eth_blockNumber')) > block)
    assert.deepEqual(
      readdirSync(join(dataDir, 'chain')).filter((name) => name.endsWith('.tmp') || name.includes('loading')),
      [],
    )
  })

  it('recovers a directory whose whole family of processes was killed, and ends the chain that was left', async () => {
    const dataDir = await newDirectory()
    const { child, anvilPid, tetherPid } = await startHolder(dataDir)
    // The tether first: nobody is left to end anvil.
    process.kill(tetherPid, 'SIGKILL')
    child.kill('SIGKILL')
    await until(() => !isAlive(tetherPid), 'the tether to die')
    assert.ok(isAlive(anvilPid))
    await using chain = await startEmbeddedChain({ dataDir })
    assert.ok(!isAlive(anvilPid))
    assert.ok(chain.isRestored)
  })

  it('leaves a process alone that was given the pid of a chain long gone', async () => {
    const dataDir = await newDirectory()
    await (await startEmbeddedChain({ dataDir })).stop()
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    writeFileSync(join(dataDir, 'chain/anvil.pid'), String(bystander.pid))
    await using chain = await startEmbeddedChain({ dataDir })
    assert.ok(chain.isRestored && isAlive(bystander.pid ?? 0))
    bystander.kill('SIGKILL')
  })

  it('brings a crashed anvil back on the same port', async () => {
    await using chain = await startEmbeddedChain({ dataDir: await newDirectory() })
    const crashed = chain.anvilPid()
    process.kill(crashed, 'SIGKILL')
    await until(() => chain.anvilPid() !== crashed, 'another anvil')
    await connectChain(chain.url, { deployment: chain.deployment })
    const owner = createTransactionSender(chain.connection, chain.keys.owner)
    await transferTokens(owner, { to: randomSigner().address, amountWei: 1n })
  })

  it('refuses a second process on one directory, by name', async () => {
    const dataDir = await newDirectory()
    await using chain = await startEmbeddedChain({ dataDir })
    await assert.rejects(startEmbeddedChain({ dataDir, lockWaitMs: 50 }), { code: 'chain.directory-in-use', holderPid: chain.tetherPid })
    assert.ok(isAlive(chain.anvilPid()))
  })

  it('says which port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    await assert.rejects(startEmbeddedChain({ dataDir: await newDirectory(), port }), { code: 'chain.port-in-use', port })
    server.close()
  })

  it('refuses damaged files by name and leaves them as they are', async () => {
    const dataDir = await newDirectory()
    await (await startEmbeddedChain({ dataDir })).stop()
    const damage: readonly (readonly [string, (path: string) => void])[] = [
      ['state.json.gz', (path) => truncateSync(path, statSync(path).size >> 1)],
      ['state.json.gz', (path) => writeFileSync(path, 'not gzip')],
      ['state.json.gz', (path) => rmSync(path)],
      ['keys.json', (path) => writeFileSync(path, '{}')],
      ['deployment.json', (path) => writeFileSync(path, '{"type":"tacit-deployment/1"}')],
      ['deployment.json', (path) => writeFileSync(path, readFileSync(path, 'utf8').replace(/"chainId": "\d+"/, '"chainId": "1"'))],
    ]
    for (const [name, harm] of damage) {
      const path = join(dataDir, 'chain', name)
      const original = readFileSync(path)
      harm(path)
      const harmed = existsSync(path) ? digest(path) : undefined
      await assert.rejects(startEmbeddedChain({ dataDir }), { code: 'chain.directory-corrupt', file: path }, name)
      assert.equal(existsSync(path) ? digest(path) : undefined, harmed)
      writeFileSync(path, original)
    }
    await using chain = await startEmbeddedChain({ dataDir })
    assert.ok(chain.isRestored)
  })

  it('stops starting when it is told to', async () => {
    const dataDir = await newDirectory()
    const controller = new AbortController()
    const starting = startEmbeddedChain({ dataDir, signal: controller.signal })
    setImmediate(() => controller.abort(new Error('enough')))
    await assert.rejects(starting, /enough/)
    await using chain = await startEmbeddedChain({ dataDir })
    assert.ok(isAlive(chain.anvilPid()))
  })

  it('has no binary for machines that npm has none for', () => {
    assert.throws(() => resolveAnvil('sunos', 'sparc'), { code: 'chain.binary-missing' })
  })

  it('answers nobody but this machine, and no web page', async () => {
    await using chain = await startEmbeddedChain({ dataDir: await newDirectory() })
    const response = await fetch(chain.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'https://example.org' },
      body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}',
    })
    assert.equal(response.headers.get('access-control-allow-origin'), null)
    // What a page may send without asking first must not be obeyed either.
    const simple = await fetch(chain.url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain', origin: 'https://example.org' },
      body: '{"jsonrpc":"2.0","id":1,"method":"evm_mine","params":[]}',
    })
    assert.match(await simple.text(), /"error"/)
    if (process.platform === 'linux') {
      const listening = readFileSync('/proc/net/tcp', 'utf8') + readFileSync('/proc/net/tcp6', 'utf8')
      const port = chain.port.toString(16).toUpperCase().padStart(4, '0')
      const hosts = [...listening.matchAll(new RegExp(`^ *\\d+: ([0-9A-F]+):${port} \\S+ 0A`, 'gm'))].map((match) => match[1])
      assert.deepEqual(hosts, ['0100007F'])
    }
  })
})

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
