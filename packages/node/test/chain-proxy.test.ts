import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serveHttp } from '@tacit/network/node'
import { serveChainProxy } from '../src/node/chain-proxy.ts'
import { createAdmission } from '../src/node/roles/faucet-routes.ts'

type Answer = { readonly id: unknown; readonly result?: unknown; readonly error?: { readonly code: number } }

/** A fake node that remembers what reached it. */
async function world(): Promise<AsyncDisposable & { readonly url: string; readonly seen: unknown[] }> {
  const seen: unknown[] = []
  const node = await serveHttp({
    routes: {
      'POST /': ({ body }) => {
        const call = JSON.parse(new TextDecoder().decode(body)) as { id: unknown; method: string }
        seen.push(call)
        return { json: { jsonrpc: '2.0', id: call.id, result: call.method } }
      },
    },
  })
  const proxy = await serveChainProxy(node.url, { host: '127.0.0.1', port: 0, exposeBeyondLoopback: false })
  return {
    url: proxy.url,
    seen,
    [Symbol.asyncDispose]: async () => {
      await proxy.close()
      await node.close()
    },
  }
}

async function post(url: string, body: string): Promise<{ readonly status: number; readonly json: Answer | readonly Answer[] }> {
  const response = await fetch(url, { method: 'POST', body })
  return { status: response.status, json: (await response.json()) as Answer }
}

describe('the chain for other machines', () => {
  it('passes reads and signed transactions on, one by one and in batches', async () => {
    await using proxy = await world()
    const one = await post(proxy.url, JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'eth_call', params: [{}], extra: 'dropped' }))
    assert.deepEqual(one.json, { jsonrpc: '2.0', id: 7, result: 'eth_call' })
    assert.deepEqual(proxy.seen, [{ jsonrpc: '2.0', id: 7, method: 'eth_call', params: [{}] }])
    const batch = await post(
      proxy.url,
      JSON.stringify(['eth_sendRawTransaction', 'eth_getProof'].map((method, id) => ({ jsonrpc: '2.0', id, method, params: [] }))),
    )
    assert.deepEqual(
      (batch.json as readonly Answer[]).map(({ id, result }) => [id, result]),
      [
        [0, 'eth_sendRawTransaction'],
        [1, 'eth_getProof'],
      ],
    )
  })

  it('lets nobody mint, rewind, impersonate, sign or look into the node', async () => {
    await using proxy = await world()
    const methods = [
      'anvil_setBalance',
      'anvil_impersonateAccount',
      'anvil_dumpState',
      'anvil_reset',
      'hardhat_setCode',
      'evm_revert',
      'evm_mine',
      'debug_traceTransaction',
      'eth_sendTransaction',
      'eth_sign',
      'eth_accounts',
      'txpool_content',
      'personal_unlockAccount',
      'ETH_CALL',
      'eth_call ',
      '__proto__',
    ]
    for (const method of methods) {
      const { json } = await post(proxy.url, JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: [] }))
      assert.equal((json as Answer).error?.code, -32601, method)
      const batch = await post(proxy.url, JSON.stringify([{ jsonrpc: '2.0', id: 1, method, params: [] }]))
      assert.equal((batch.json as readonly Answer[])[0]?.error?.code, -32601, method)
    }
    assert.deepEqual(proxy.seen, [])
  })

  it('survives garbage and refuses long batches and large bodies', async () => {
    await using proxy = await world()
    const call = { jsonrpc: '2.0', id: 1, method: 'eth_chainId', params: [] }
    const bad = ['', '{', 'null', '[]', '5', '{"method":5}', '{"method":"eth_call","params":{}}', '{"method":"eth_call","id":{}}']
    for (const body of [...bad, JSON.stringify(Array.from({ length: 33 }, () => call))]) {
      const { status } = await post(proxy.url, body)
      assert.equal(status, 400, body.slice(0, 40))
    }
    assert.equal((await post(proxy.url, JSON.stringify({ ...call, params: ['x'.repeat(1 << 19)] }))).status, 413)
    assert.deepEqual(proxy.seen, [])
  })
})

describe('admission to the faucet', () => {
  it('counts per address and altogether, and starts anew with the next window', () => {
    let nowMs = 0
    const admit = createAdmission({ perRemote: 2, altogether: 5, windowMs: 1_000 }, () => nowMs)
    assert.deepEqual(
      ['a', 'a', 'a', 'b', 'b', 'c', 'd'].map((remote) => admit(remote)),
      [true, true, false, true, true, true, false],
    )
    nowMs = 999
    assert.equal(admit('e'), false)
    nowMs = 1_000
    assert.equal(admit('a'), true)
  })
})
