import assert from 'node:assert/strict'
import { request } from 'node:http'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { isTacitCode } from './codes.ts'
import { BadStatusError, fetchJson } from '../src/index.ts'
import { type HttpRoutes, serveHttp } from '../src/node/index.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const routes: HttpRoutes = {
  'GET /v1/health': () => ({ json: { ok: true } }),
  'GET /v1/jobs/:id': ({ params, query }) => ({ json: { id: params['id'], page: query.get('page') } }),
  'POST /v1/echo': ({ body, headers }) => ({ json: { length: body.length, text: text(body), type: headers['content-type'] } }),
  'GET /v1/refuse': () => ({ status: 402, json: { error: { code: 'pay' } } }),
  'GET /v1/throw': () => {
    throw new Error('secret detail')
  },
  'GET /v1/big': () => ({ body: 'x'.repeat(3_000) }),
  'GET /v1/text': () => ({ body: 'not json', headers: { 'content-type': 'text/plain' } }),
  'GET /v1/stream': () => ({
    headers: { 'content-type': 'text/event-stream' },
    stream: (async function* () {
      for (let i = 0; i < 3; i++) yield `data: ${i}\n\n`
    })(),
  }),
}

describe('the HTTP server and client', { timeout: 30_000 }, () => {
  it('answer JSON by route, parameter and query', async () => {
    await using http = await serveHttp({ routes })
    assert.deepEqual(await fetchJson(`${http.url}/v1/health`), { ok: true })
    assert.deepEqual(await fetchJson(`${http.url}/v1/jobs/a%2Fb?page=2`), { id: 'a/b', page: '2' })
    assert.deepEqual(await fetchJson(`${http.url}/v1/echo`, { body: { a: 1 } }), { length: 7, text: '{"a":1}', type: 'application/json' })
  })

  it('name what goes wrong', async () => {
    await using http = await serveHttp({ routes, maxBodyBytes: 100 })
    const status = (path: string, options = {}) =>
      fetchJson(`${http.url}${path}`, options).then(
        () => assert.fail('it answered'),
        (error: unknown) => (error instanceof BadStatusError ? error : Promise.reject(error)),
      )
    assert.equal((await status('/nowhere')).status, 404)
    assert.equal((await status('/v1/health', { method: 'POST', body: {} })).status, 405)
    assert.equal((await status('/v1/jobs/%zz')).status, 404)
    assert.equal((await status('/v1/echo', { body: 'x'.repeat(200) })).status, 413)
    assert.deepEqual((await status('/v1/refuse')).body, { error: { code: 'pay' } })
    const failed = await status('/v1/throw')
    assert.equal(failed.status, 500)
    assert.deepEqual(failed.body, { error: { message: 'internal error' } })
    await assert.rejects(fetchJson(`${http.url}/v1/big`, { maxBytes: 1_000 }), isTacitCode('network.response-too-large'))
    await assert.rejects(fetchJson(`${http.url}/v1/text`), isTacitCode('network.malformed-response'))
    await assert.rejects(fetchJson('http://127.0.0.1:9/'), isTacitCode('network.unreachable'))
    const reason = new Error('never mind')
    await assert.rejects(fetchJson(`${http.url}/v1/health`, { signal: AbortSignal.abort(reason) }), (error) => error === reason)
  })

  it('refuse a body that grows past the limit without announcing it', async () => {
    await using http = await serveHttp({ routes, maxBodyBytes: 100 })
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const outgoing = request(`${http.url}/v1/echo`, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
      outgoing.on('error', reject)
      for (let i = 0; i < 10; i++) outgoing.write('y'.repeat(50))
      outgoing.end()
    })
    assert.equal(status, 413)
  })

  it('time out', async () => {
    const seen: AbortSignal[] = []
    const slow: HttpRoutes = {
      'GET /slow': ({ signal }) => {
        seen.push(signal)
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      },
    }
    await using http = await serveHttp({ routes: slow })
    await assert.rejects(fetchJson(`${http.url}/slow`, { timeoutMs: 30 }), isTacitCode('network.timed-out'))
    // The handler was told that nobody waits any more.
    while (seen[0]?.aborted !== true) await new Promise((resolve) => setImmediate(resolve))
  })

  it('stream as the handler produces', async () => {
    await using http = await serveHttp({ routes })
    const response = await fetch(`${http.url}/v1/stream`)
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    assert.equal(await response.text(), 'data: 0\n\ndata: 1\n\ndata: 2\n\n')
  })

  it('keep web pages of other names out (DNS rebinding), and garbage too', async () => {
    await using http = await serveHttp({ routes })
    const { hostname, port } = new URL(http.url)
    const exchange = (bytes: string) =>
      new Promise<string>((resolve, reject) => {
        let answer = ''
        const socket = connect(Number(port), hostname, () => socket.end(bytes))
        socket.setEncoding('utf8')
        socket.on('data', (piece) => (answer += piece))
        socket.on('close', () => resolve(answer))
        socket.on('error', reject)
      })
    assert.match(await exchange('GET /v1/health HTTP/1.1\r\nHost: evil.example\r\n\r\n'), /^HTTP\/1.1 403/)
    assert.match(await exchange('GET /v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 200/)
    assert.match(await exchange('\x16\x03\x01\r\n\r\n'), /^HTTP\/1.1 400/)
    assert.match(await exchange('GET //[ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'), /^HTTP\/1.1 40/)
  })

  it('stop with their signal, and listen on loopback only', async () => {
    const controller = new AbortController()
    const http = await serveHttp({ routes, signal: controller.signal })
    controller.abort(new Error('stop'))
    await http.close()
    await assert.rejects(fetchJson(`${http.url}/v1/health`), isTacitCode('network.unreachable'))
    await assert.rejects(serveHttp({ routes, host: '0.0.0.0' }), isTacitCode('network.not-loopback'))
    await using one = await serveHttp({ routes })
    await assert.rejects(serveHttp({ routes, port: Number(new URL(one.url).port) }), isTacitCode('network.listen-failed'))
  })
})
