import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { zooDirectory } from '@tacit/node/node'
import { isLockHeld } from '../src/process-lock.ts'
import { eventually, runCli, type StartedCli, startCli } from './cli.ts'

type Performed = {
  readonly model: string
  readonly privacy: string
  readonly verification: string
  readonly answer: string
  readonly price: string
  readonly receipt: string
  readonly checkpoint: string
  readonly openings: string
  readonly verified: boolean
}
type Up = { readonly ok: boolean; readonly gateway: string; readonly network: { readonly chainUrl: string; readonly relayUrl: string } }

const root = mkdtempSync(join(tmpdir(), 'tacit-cli-'))
const home = join(root, 'home')
const guest = join(root, 'guest')
let network: StartedCli
let facts: Up
let processes: readonly number[] = []

/** `up` prints what runs where on standard error when it prints JSON. */
function pidsIn(text: string): readonly number[] {
  return [...text.matchAll(/process (\d+)/g)].map((match) => Number(match[1]))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function isPortTaken(url: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(true))
    probe.listen({ port: Number(new URL(url).port), host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(false)))
  })
}

async function bringUp(): Promise<void> {
  network = startCli(home, 'up', '--workers', '1', '--host', '127.0.0.1', '--gateway-port', '0', '--json')
  facts = (await network.firstJson()) as Up
  assert.equal(await eventually(() => pidsIn(network.stderr()).length >= 5), true)
  processes = pidsIn(network.stderr())
}

describe('the tacit command', () => {
  after(async () => {
    if (network !== undefined && network.child.exitCode === null) {
      network.child.kill('SIGTERM')
      await network.exited
    }
    rmSync(root, { recursive: true, force: true })
  })

  it('buys two verified inferences with start --once --json', async () => {
    const { code, json, stdout, stderr } = await runCli(home, 'start', '--once', '--json')
    assert.equal(code, 0, stderr)
    assert.equal(stdout.trimEnd().split('\n').length, 1, 'one line on standard output')
    const { ok, readyMs, totalMs, requests } = json as {
      ok: boolean
      readyMs: number
      totalMs: number
      requests: readonly Performed[]
    }
    assert.equal(ok, true)
    assert.ok(readyMs > 0 && totalMs >= readyMs)
    assert.deepEqual(
      requests.map(({ model, privacy, verification, verified }) => ({ model, privacy, verification, verified })),
      ['digits', 'babble'].map((model) => ({ model, privacy: 'sealed', verification: 'signed', verified: true })),
    )
    for (const { answer, price, receipt, checkpoint } of requests) {
      assert.ok(answer.length > 0)
      assert.match(price, /^[1-9]\d*$/)
      assert.ok(existsSync(receipt) && existsSync(checkpoint))
    }
    assert.match(stderr, /babbles/, 'output of the toy language model says what it is')
  })

  describe('with a network that stays', () => {
    before(async () => {
      const added = join(root, 'mine.onnx')
      copyFileSync(join(zooDirectory, 'digits', 'digits-relu.onnx'), added)
      assert.equal((await runCli(home, 'models', 'add', added)).code, 0)
      await bringUp()
    })

    it('lists models, quotes and answers, and keeps receipts; an added file is served like the others', async () => {
      const [models, quote, answer] = await Promise.all([
        runCli(home, 'models', '--json'),
        runCli(home, 'quote', '--digit', '3', '--json'),
        runCli(home, 'infer', '--model', 'digits', '--digit', '3', '--json'),
      ])
      const { published } = models.json as { published: readonly { card: { name: string } | null; stepPriceWei: string }[] }
      assert.deepEqual(published.map(({ card }) => card?.name).toSorted(), ['babble', 'digits', 'digits-square', 'mine'])
      const { quotes } = quote.json as { quotes: readonly { worker: string; stepPrice: string; readers: readonly string[] }[] }
      assert.ok(quotes.length >= 1 && quotes.every(({ stepPrice, readers, worker }) => BigInt(stepPrice) > 0n && readers.includes(worker)))
      const done = answer.json as Performed & { ok: boolean }
      assert.equal(answer.code, 0, answer.stderr)
      assert.ok(done.ok && done.verified && /^\d$/.test(done.answer))

      writeFileSync(join(root, 'input.json'), JSON.stringify(Array.from({ length: 64 }, (_, index) => index / 64)))
      const mine = await runCli(home, 'infer', '--model', 'mine', '--input', join(root, 'input.json'), '--json')
      assert.equal(mine.code, 0, mine.stderr)
      assert.equal((JSON.parse((mine.json as Performed).answer) as readonly number[]).length, 10)

      const receipts = await runCli(home, 'receipts', '--json')
      const paths = (receipts.json as { receipts: readonly { path: string }[] }).receipts.map(({ path }) => path)
      assert.ok(paths.includes(done.receipt) && paths.length >= 4)
      const flipped = readFileSync(done.receipt)
      const index = flipped.indexOf('"completedAt":') + 15
      flipped[index] = (flipped[index] ?? 0) ^ 1
      writeFileSync(join(root, 'flipped.json'), flipped)
      const [good, open, bad] = await Promise.all([
        runCli(home, 'verify', done.receipt, '--checkpoint', done.checkpoint, '--json'),
        runCli(home, 'verify', done.receipt, '--json'),
        runCli(home, 'verify', join(root, 'flipped.json'), '--checkpoint', done.checkpoint, '--json'),
      ])
      assert.deepEqual([good.code, open.code, bad.code], [0, 2, 1])
    })

    it('runs the model of a receipt again from its openings, to the bit and layer by layer', async () => {
      const file = join(root, 'zeros.json')
      writeFileSync(file, JSON.stringify(new Array(64).fill(0.25)))
      const bought = (await runCli(home, 'infer', '--model', 'mine', '--input', file, '--json')).json as Performed
      const replay = (model: string) =>
        runCli(
          home,
          'verify',
          bought.receipt,
          '--checkpoint',
          bought.checkpoint,
          '--openings',
          bought.openings,
          '--replay',
          model,
          '--json',
        )
      const [again, other] = await Promise.all([
        replay(join(root, 'mine.onnx')),
        replay(join(zooDirectory, 'digits', 'digits-square.onnx')),
      ])
      const statuses = (run: Awaited<ReturnType<typeof runCli>>) =>
        (run.json as { replay: readonly { check: string; status: string }[] }).replay.map(({ check, status }) => `${check} ${status}`)
      assert.deepEqual([again.code, statuses(again)], [0, ['model file PASS', 'answer PASS', 'trace PASS']], again.stderr)
      assert.deepEqual([other.code, statuses(other)], [1, ['model file SKIP', 'answer FAIL', 'trace FAIL']], other.stderr)
    })

    it('invites another directory, which gets money from the faucet, buys an inference and checks it by its own checkpoint', async () => {
      const invited = await runCli(home, 'invite', '--json')
      const { invitation } = invited.json as { invitation: string }
      const joined = await runCli(guest, 'join', invitation, '--json')
      assert.equal(joined.code, 0, joined.stderr)
      assert.ok(BigInt((joined.json as { poolWei: string }).poolWei) > 0n)
      const bought = await runCli(guest, 'infer', '--digit', '5', '--json')
      const done = bought.json as Performed
      assert.ok(bought.code === 0 && done.verified, bought.stderr)
      const own = join(root, 'own-checkpoint.json')
      assert.equal((await runCli(guest, 'checkpoint', '--for', done.receipt, '--out', own)).code, 0)
      const [verified, wallet, doctor] = await Promise.all([
        runCli(guest, 'verify', done.receipt, '--checkpoint', own),
        runCli(guest, 'wallet', '--json'),
        runCli(guest, 'doctor', '--json'),
      ])
      assert.equal(verified.code, 0, verified.stdout)
      const { locks } = wallet.json as { locks: readonly { status: string; spentWei: string }[] }
      assert.ok(locks.length === 1 && locks[0]?.status === 'open' && BigInt(locks[0].spentWei) > 0n)
      assert.equal(doctor.code, 0, doctor.stderr)
      const statuses = (doctor.json as { findings: readonly { check: string; status: string }[] }).findings
      for (const check of ['platform', 'anvil', 'llama.cpp', 'chain', 'relay', 'dispatcher', 'worker'])
        assert.ok(
          statuses.some((finding) => finding.check === check && finding.status === 'PASS'),
          check,
        )
    })

    it('runs a worker of the guest beside the others, which answers, is paid, and drains', async () => {
      const started = startCli(guest, 'worker', 'start', '--json')
      const { address } = (await started.firstJson()) as { address: string }
      const answer = await runCli(home, 'infer', '--digit', '7', '--worker', address, '--json')
      assert.ok((answer.json as Performed).verified, answer.stderr)
      const [status, second] = await Promise.all([runCli(guest, 'worker', 'status', '--json'), runCli(guest, 'worker', 'start', '--json')])
      const [report] = (
        status.json as {
          workers: readonly { address: string; registry: string; live: object | null; models: readonly { eligible: boolean }[] }[]
        }
      ).workers
      assert.ok(report?.registry === 'active' && report.live !== null && report.models.length === 3)
      assert.equal((second.json as { error: { code: string } }).error.code, 'cli.worker-running')
      const drained = await runCli(guest, 'worker', 'drain', '--json')
      assert.deepEqual(drained.json, { ok: true, address, registryDrained: true, stopped: true })
      assert.equal(await started.exited, 0)
      const earned = await runCli(guest, 'earnings', '--json')
      const [ledger] = (
        earned.json as { workers: readonly { jobs: readonly { redeemed: boolean }[]; totalWei: string; redeemedWei: string }[] }
      ).workers
      assert.ok(ledger?.jobs.length === 1 && BigInt(ledger.totalWei) > 0n)
      assert.equal(ledger.redeemedWei, ledger.totalWei, 'what was owed is redeemed before it stops')
    })

    it('refuses a second network in the directory, a taken port, and commands that make no sense, each by name', async () => {
      const taken = new URL(facts.gateway).port
      const [second, gateway, unknown, usage, model] = await Promise.all([
        runCli(home, 'up', '--json'),
        runCli(guest, 'gateway', '--port', taken, '--json'),
        runCli(home, 'frobnicate', '--json'),
        runCli(home, 'wallet', 'deposit', 'much', '--json'),
        runCli(home, 'infer', '--model', 'nope', 'hi', '--json'),
      ])
      const codes = [second, gateway, unknown, usage, model].map(({ json }) => (json as { error: { code: string } }).error.code)
      assert.deepEqual(codes, ['cli.already-running', 'network.listen-failed', 'cli.usage', 'cli.usage', 'client.unknown-model'])
      assert.deepEqual([second.code, unknown.code], [1, 64])
    })

    it('leaves no process, port or lock behind after kill -9, and the next up has the state of before', async () => {
      const before = await runCli(home, 'earnings', '--json')
      const left = [facts.network.chainUrl, facts.network.relayUrl.replace('ws', 'http'), facts.gateway]
      network.child.kill('SIGKILL')
      await network.exited
      assert.equal(await eventually(() => processes.every((pid) => !isAlive(pid))), true, 'no process is left')
      for (const url of left) assert.equal(await eventually(async () => !(await isPortTaken(url))), true, `${url} is free`)
      assert.equal(isLockHeld(join(home, 'network.lock')), false)
      const none = await runCli(home, 'infer', '--digit', '1', '--json')
      assert.equal((none.json as { error: { code: string } }).error.code, 'cli.no-network', 'a stale network.json counts as none')

      await bringUp()
      const answer = await runCli(home, 'infer', '--digit', '3', '--json')
      assert.ok((answer.json as Performed).verified, answer.stderr)
      const after = await runCli(home, 'earnings', '--json')
      type Earned = { readonly workers: readonly { readonly jobs: readonly { readonly job: string }[] }[] }
      const jobsOf = (run: typeof before): readonly string[] =>
        (run.json as Earned).workers.flatMap(({ jobs }) => jobs.map(({ job }) => job))
      for (const job of jobsOf(before)) assert.ok(jobsOf(after).includes(job))
      assert.equal(jobsOf(after).length, jobsOf(before).length + 1)

      const down = await runCli(home, 'down', '--json')
      assert.deepEqual(down.json, { ok: true, stopped: true })
      assert.equal(await network.exited, 0)
      assert.equal(await eventually(() => processes.every((pid) => !isAlive(pid))), true)
      assert.equal(existsSync(join(home, 'network.json')), false)
    })
  })
})
