import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { startEmbeddedChain } from '@tacit/chain/embedded'
import { openFileClientStore } from '@tacit/client/node'
import { loadFastSignatures, openKeyFile } from '@tacit/node/node'
import { parseBytes32 } from '@tacit/protocol'
import type { Invocation } from '../src/command.ts'
import { findCommand } from '../src/commands.ts'
import { encodeInvitation } from '../src/invitation.ts'
import { findNetwork, type NetworkFile } from '../src/network-file.ts'
import { isLockHeld, takeProcessLock } from '../src/process-lock.ts'

let dataDir = ''
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tacit-cli-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

function put(path: string, content = 'not what it should be \u0000\u0001'): string {
  const full = join(dataDir, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, content, { mode: 0o600 })
  return full
}

async function run(name: string, values: Invocation['values'] = {}, positionals: readonly string[] = []): Promise<number> {
  const command = await findCommand(name)
  assert.ok(command)
  const said: string[] = []
  return await command.run({
    values,
    positionals,
    dataDir,
    json: false,
    say: (line = '') => said.push(line),
    signal: AbortSignal.timeout(20_000),
  })
}

describe('a damaged data directory', () => {
  it('names a network.json that is none', async () => {
    for (const content of ['', '{', '{}', 'null', '[1]']) {
      put('network.json', content)
      assert.throws(() => findNetwork(dataDir), { code: 'cli.file-unusable' })
    }
    for (const name of ['infer', 'models', 'up', 'down', 'invite', 'gateway'])
      await assert.rejects(run(name, name === 'infer' ? { digit: '1' } : {}), { code: 'cli.file-unusable' })
  })

  it('names a key, a journal, a client database and chain keys that are none', async () => {
    const signatures = await loadFastSignatures()
    assert.throws(() => openKeyFile(put('worker-1/identity.key'), signatures), { code: 'node.corrupt-data' })
    put('worker-2/identity.key', `0x${'11'.repeat(32)}`)
    put('worker-2/journal.sqlite')
    await assert.rejects(run('earnings'), { code: 'node.corrupt-data' })
    put('client/client.sqlite')
    assert.throws(() => openFileClientStore(join(dataDir, 'client')), { code: 'client.corrupt-data' })
    put('client/wallet.key')
    await assert.rejects(run('wallet'), { code: 'node.corrupt-data' })
    for (const content of ['', '{}', '{"type":"tacit-local-keys/1"}']) {
      put('chain/keys.json', content)
      await assert.rejects(startEmbeddedChain({ dataDir }), { code: 'chain.directory-corrupt' })
    }
  })

  it('names files that are not what they were said to be', async () => {
    const text = put('some.txt', 'hello')
    await assert.rejects(run('wallet', { 'password-file': text }, ['restore', text]), { code: 'cli.file-unusable' })
    await assert.rejects(run('wallet', {}, ['restore', join(dataDir, 'missing')]), { code: 'cli.file-unusable' })
    await assert.rejects(run('join', { file: text }), { code: 'cli.invitation-malformed' })
    await assert.rejects(run('models', {}, ['add', text]), { code: 'runtime.model-malformed' })
    await assert.rejects(run('models', {}, ['add', put('fake.gguf', 'GGUF?')]), { code: 'runtime.model-malformed' })
    await assert.rejects(run('models', {}, ['add', put('fake.onnx', 'onnx?')]), (error) => error instanceof Error && 'code' in error)
    assert.equal(await run('verify', {}, [text]), 1)
  })

  it('keeps the wallet when the password is wrong, and another wallet unless told to replace it', async () => {
    put('right', 'right password\n')
    put('wrong', 'wrong password\n')
    const right = { 'password-file': join(dataDir, 'right') }
    const backup = join(dataDir, 'backup.json')
    assert.equal(await run('wallet', right, ['backup', backup]), 0)
    await assert.rejects(run('wallet', right, ['backup', backup]), { code: 'cli.file-unusable' })
    await assert.rejects(run('wallet', { 'password-file': join(dataDir, 'wrong') }, ['restore', backup]), { code: 'cli.wrong-password' })
    assert.equal(await run('wallet', right, ['restore', backup]), 0)
    const signatures = await loadFastSignatures()
    const walletKey = join(dataDir, 'client', 'wallet.key')
    const before = openKeyFile(walletKey, signatures).address
    put('client/wallet.key', `0x${'22'.repeat(32)}`)
    await assert.rejects(run('wallet', right, ['restore', backup]), { code: 'cli.wallet-exists' })
    assert.equal(await run('wallet', { ...right, replace: true }, ['restore', backup]), 0)
    assert.equal(openKeyFile(walletKey, signatures).address, before)
  })
})

describe('the lock of a directory', () => {
  it('is held by one process, and free again when that is killed', async () => {
    const path = join(dataDir, 'network.lock')
    const source = new URL('../src/process-lock.ts', import.meta.url).href
    const code = `const { takeProcessLock } = await import(${JSON.stringify(source)}); globalThis.l = takeProcessLock(${JSON.stringify(path)}); console.log(l !== undefined); setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [first] = (await once(child.stdout, 'data')) as [Buffer]
    assert.equal(first.toString().trim(), 'true')
    assert.equal(isLockHeld(path), true)
    assert.equal(takeProcessLock(path), undefined)
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.equal(isLockHeld(path), false)
    const lock = takeProcessLock(path)
    assert.ok(lock)
    assert.equal(isLockHeld(path), true)
    lock.release()
    assert.equal(isLockHeld(path), false)
  })

  it('does not mind what somebody wrote into its file', () => {
    const path = put('network.lock', 'x'.repeat(5000))
    assert.equal(isLockHeld(path), false)
    const lock = takeProcessLock(path)
    assert.ok(lock)
    lock.release()
  })

  it('does not take the file of a killed network for a running one', () => {
    // This very process lives: a process id alone proves nothing.
    put('network.json', networkFile('local', process.pid))
    assert.equal(findNetwork(dataDir), undefined)
  })

  it('lets a directory belong to one network: a joined one is not started, a starting one not started twice', async () => {
    await assert.rejects(run('join', {}, [invitation()]), { code: 'chain.unreachable' })
    assert.equal(findNetwork(dataDir), undefined, 'nothing was joined')
    put('network.json', networkFile('joined', 0))
    await assert.rejects(run('up'), { code: 'cli.already-joined' })
    await assert.rejects(run('join', {}, [invitation()]), { code: 'cli.already-joined' })
    assert.equal(await run('down'), 0)
    assert.equal(await run('down'), 0)
    const lock = takeProcessLock(join(dataDir, 'network.lock'))
    await assert.rejects(run('up'), { code: 'cli.already-running' })
    assert.equal(await run('down'), 1)
    lock?.release()
  })
})

function invitation(): string {
  const { network } = JSON.parse(networkFile('joined', 0)) as NetworkFile
  const { paymentPool, workerRegistry, modelRegistry } = network.deployment.contracts
  const { chainId } = network.deployment
  return encodeInvitation({
    type: 'tacit-invitation/1',
    network,
    checkpoint: {
      type: 'tacit-checkpoint/1',
      chainId,
      blockNumber: '1',
      blockHash: parseBytes32(`0x${'1'.repeat(64)}`),
      contracts: { paymentPool, workerRegistry, modelRegistry },
    },
  })
}

function networkFile(kind: 'local' | 'joined', pid: number): string {
  const contracts = ['tacitToken', 'aiConfig', 'modelRegistry', 'workerRegistry', 'paymentPool', 'faucet']
  return JSON.stringify({
    type: 'tacit-network-file/1',
    kind,
    pid,
    gatewayUrl: null,
    network: {
      type: 'tacit-network/1',
      chainUrl: 'http://127.0.0.1:1',
      relayUrl: 'ws://127.0.0.1:1',
      dispatcherUrl: null,
      dispatcher: null,
      deployment: {
        type: 'tacit-deployment/1',
        chainId: '5000000000',
        blockNumber: '1',
        contracts: Object.fromEntries(contracts.map((name) => [name, `0x${'1'.repeat(40)}`])),
      },
    },
  })
}
