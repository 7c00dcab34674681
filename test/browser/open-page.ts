// A page in a headless Chromium, served from loopback together with what a page may not reach across origins.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fetchJson } from '@tacit/network'
import { type HttpHandler, serveHttp } from '@tacit/network/node'
import { build } from 'esbuild'
import { chromium, type Page } from 'playwright-core'
import { findChromium } from '../../tools/chromium.ts'

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export type OpenedPage = AsyncDisposable & { readonly page: Page; readonly origin: string; readonly bundleBytes: number }

export type Upstreams = { readonly chainUrl: string; readonly dispatcherUrl: string; readonly files: Readonly<Record<string, string>> }

/** Bundles `page.ts` for browsers and opens it. `/chain` and `/v1/…` on its origin lead to the network's chain and dispatcher. */
export async function openPage({ chainUrl, dispatcherUrl, files }: Upstreams): Promise<OpenedPage> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('./page.ts', import.meta.url))],
    bundle: true,
    platform: 'browser',
    conditions: ['tacit-source'],
    format: 'esm',
    minify: true,
    write: false,
    logLevel: 'silent',
  })
  const code = bundle.outputFiles[0]?.text ?? ''
  const forward =
    (url: string): HttpHandler =>
    async ({ method, body, signal }) => ({
      json: await fetchJson(url, { ...(method === 'POST' ? { body: JSON.parse(Buffer.from(body).toString('utf8')) } : {}), signal }),
    })
  const server = await serveHttp({
    routes: {
      'GET /': () => ({
        headers: { 'content-type': 'text/html' },
        body: '<!doctype html><title>Tacit</title><script type="module" src="/page.js"></script>',
      }),
      'GET /page.js': () => ({ headers: { 'content-type': 'text/javascript' }, body: code }),
      'GET /favicon.ico': () => ({ status: 204 }),
      'GET /files/:name': ({ params }) => {
        const path = files[params['name'] ?? '']
        return path === undefined ? { status: 404 } : { body: Uint8Array.from(readFileSync(path)) }
      },
      'POST /chain': forward(chainUrl),
      'GET /v1/models': forward(`${dispatcherUrl}/v1/models`),
      'POST /v1/recommend': forward(`${dispatcherUrl}/v1/recommend`),
    },
  })
  const executablePath = findChromium()
  if (executablePath === undefined) throw new Error('There is no Chromium here.')
  const browser = await chromium.launch({ executablePath, headless: true, args: flags })
  const page = await browser.newPage()
  page.on('console', (message) => {
    if (message.type() === 'error') console.error(`in the page: ${message.text()}`)
  })
  page.on('pageerror', (error) => console.error(`in the page: ${error.message}`))
  await page.goto(server.url)
  await page.waitForFunction('globalThis.tacit !== undefined')
  return {
    page,
    origin: server.url,
    bundleBytes: code.length,
    [Symbol.asyncDispose]: async () => {
      await browser.close()
      await server.close()
    },
  }
}
