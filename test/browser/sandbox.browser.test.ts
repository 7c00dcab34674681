// One module, two engines: the tab's worker gives the bytes and the trace root that Node's worker gives.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compileModel } from '@tacit/compiler'
import { parseOnnx, quantizeGraph } from '@tacit/model'
import { traceRoot } from '@tacit/protocol'
import { loadModel } from '@tacit/runtime/node'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import { cnn, mlp, transformer } from '../../packages/compiler/bench/networks.ts'
import { endlessBody, endlessModel, handMadePair } from '../../packages/runtime/test/sandbox/endless-model.ts'
import { findChromium } from '../../tools/chromium.ts'
import type { SandboxPage } from './sandbox-page.ts'

const executablePath = findChromium()

describe('a compiled model in a tab', { skip: executablePath === undefined && 'there is no Chromium here' }, () => {
  const files = new Map<string, Uint8Array | string>()
  const expected = new Map<string, { answer: string; root: string }>()
  let browser: Browser
  let page: Page
  let isolated: Page
  const pages = new Set(['/', '/isolated'])
  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    const body = pages.has(path) ? '<!doctype html><script type="module" src="/page.js"></script>' : files.get(path.slice(1))
    const type = pages.has(path) ? 'text/html' : path.endsWith('.js') ? 'text/javascript' : 'application/octet-stream'
    // Shared memory is for pages that are isolated from other origins.
    const isolation =
      path === '/isolated' ? { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' } : {}
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': type, ...isolation }).end(body)
  })

  async function openPage(path: string): Promise<Page> {
    const opened = await browser.newPage()
    await opened.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
    await opened.waitForFunction('globalThis.sandbox !== undefined')
    return opened
  }

  async function add(name: string, model: Awaited<ReturnType<typeof compileModel>>, input: Uint8Array): Promise<void> {
    files.set(`${name}.wasm`, model.wasm).set(`${name}.json`, JSON.stringify(model.manifest)).set(`${name}.bin`, input)
    await using local = await loadModel(model.wasm, model.manifest)
    const [tensor] = model.manifest.inputs
    assert.ok(tensor)
    const copy = input.slice().buffer as ArrayBuffer
    const value =
      tensor.elementType === 'float32'
        ? { type: 'f32' as const, shape: tensor.shape, data: new Float32Array(copy) }
        : { type: 'i8' as const, shape: tensor.shape, data: new Int8Array(copy) }
    const { outputs, trace } = await local.run({ [tensor.name]: value }, { trace: 'hashes' })
    const answer = Object.values(outputs)[0]?.data
    assert.ok(answer && trace)
    expected.set(name, {
      answer: Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength).toString('hex'),
      root: traceRoot(trace, new Uint8Array(32)),
    })
  }

  before(async () => {
    for (const network of [mlp('f32'), mlp('int8'), cnn('f32'), cnn('int8'), transformer('f32'), transformer('int8')])
      await add(
        network.name,
        await compileModel(await parseOnnx(network.onnx), { profile: 'f32', threads: 2, obfuscate: { seed: 'tab' } }),
        new Uint8Array((network.input.data as Float32Array).slice().buffer),
      )
    const images = cnn('f32')
    const { q8 } = quantizeGraph(await parseOnnx(images.onnx), { inputs: [{ x: images.input }] })
    await add(
      'cnn.q8',
      await compileModel(q8, { profile: 'q8', threads: 2, cutting: 'everything' }),
      Uint8Array.from({ length: 3072 }, (_, i) => i * 31),
    )
    const waiting = { toFirst: [{ offset: 1024, sizeBytes: 4, stepBytes: 0, count: 1 }], toSecond: [] }
    const pair = handMadePair({ first: endlessBody, second: () => undefined, after: waiting })
    files.set('pair.wasm', pair.wasm).set('pair.json', JSON.stringify(pair.manifest)).set('pair.bin', new Uint8Array(0))
    const endless = endlessModel()
    files.set('endless.wasm', endless.wasm).set('endless.json', JSON.stringify(endless.manifest)).set('endless.bin', new Uint8Array(0))
    const bundle = await build({
      entryPoints: [fileURLToPath(new URL('./sandbox-page.ts', import.meta.url))],
      bundle: true,
      platform: 'browser',
      conditions: ['tacit-source'],
      format: 'esm',
      minify: true,
      write: false,
      logLevel: 'silent',
    })
    files.set('page.js', bundle.outputFiles[0]?.text ?? '')
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    browser = await chromium.launch({ executablePath: executablePath ?? '', headless: true, args: ['--no-sandbox', '--disable-gpu'] })
    page = await openPage('/')
    isolated = await openPage('/isolated')
  })
  after(async () => {
    await browser?.close()
    server.close()
  })

  it('gives the bytes and the trace root that Node gives', async () => {
    for (const [name, answer] of expected)
      assert.deepEqual(
        await page.evaluate((model) => (globalThis as unknown as { sandbox: SandboxPage }).sandbox.run(model), name),
        answer,
        name,
      )
    assert.equal(expected.size, 7)
  })

  it('is ended at its deadline', async () => {
    const code = await page.evaluate(() => (globalThis as unknown as { sandbox: SandboxPage }).sandbox.overrun('endless', 200))
    assert.equal(code, 'runtime.sandbox-deadline')
  })

  it('gives them on two threads where the page is isolated, and on one with a reason where it is not', async () => {
    const threads = (name: string) => (globalThis as unknown as { sandbox: SandboxPage }).sandbox.threads(name)
    const onTwo = (name: string) => (globalThis as unknown as { sandbox: SandboxPage }).sandbox.run(name, 2)
    assert.deepEqual(await isolated.evaluate(threads, 'transformer.f32'), { count: 2 })
    const alone = await page.evaluate(threads, 'transformer.f32')
    assert.equal(alone.count, 1)
    assert.match(alone.note ?? '', /cross-origin isolated/)
    for (const [name, answer] of expected) {
      assert.deepEqual(await isolated.evaluate(onTwo, name), answer, name)
      assert.deepEqual(await page.evaluate(onTwo, name), answer, name)
    }
  })

  it('is ended at its deadline, one worker computing and one waiting', async () => {
    const code = await isolated.evaluate(() => (globalThis as unknown as { sandbox: SandboxPage }).sandbox.overrun('pair', 200, 2))
    assert.equal(code, 'runtime.sandbox-deadline')
  })
})
