import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { ListedModel } from '@tacit/client'
import { type HttpServer, serveHttp } from '@tacit/network/node'
import { loadZoo, zooDirectory } from '@tacit/node/node'
import { parseBytes32, parseModelId } from '@tacit/protocol'
import { openModelStore } from '@tacit/runtime/node'
import { loadOwnModels } from '../src/running-network.ts'
import { findLocalModels, matchPublished } from '../src/servable-models.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'tacit-models-'))
const signal = AbortSignal.timeout(60_000)
const id = parseModelId(`0x${'01'.repeat(32)}`)
let fakeOllama: HttpServer
const formerHost = process.env['OLLAMA_HOST']

before(async () => {
  const models = [
    { name: 'small:latest', digest: 'ab'.repeat(32), size: 5 },
    { name: 'cloud:latest', digest: 'cd'.repeat(32), size: 5, remote_host: 'https://elsewhere.example' },
  ]
  fakeOllama = await serveHttp({ routes: { 'GET /api/tags': () => ({ json: { models } }) } })
  process.env['OLLAMA_HOST'] = fakeOllama.url
  const file = join(dataDir, 'mine.onnx')
  copyFileSync(join(zooDirectory, 'digits', 'digits-relu.onnx'), file)
  const store = await openModelStore(join(dataDir, 'models'))
  await store.add(file)
  await store.add(join(zooDirectory, 'digits', 'digits-relu.int8.onnx'), { name: 'copy-of-the-zoo' })
})
after(async () => {
  if (formerHost === undefined) delete process.env['OLLAMA_HOST']
  else process.env['OLLAMA_HOST'] = formerHost
  await fakeOllama.close()
  rmSync(dataDir, { recursive: true, force: true })
})

describe('what this machine could serve', () => {
  it('is the zoo, what was added, and what an Ollama runs here; never what that would send elsewhere', async () => {
    const { files, ollama, ollamaAddress } = await findLocalModels(dataDir, signal)
    assert.equal(ollamaAddress, fakeOllama.url)
    assert.deepEqual(
      ollama.map(({ card }) => [card.name, card.format]),
      [['small:latest', 'ollama']],
    )
    const names = files.map(({ card }) => card.name)
    for (const name of [...loadZoo().map(({ card }) => card.name), 'mine']) assert.ok(names.includes(name), name)
  })

  it('describes an added file by what is in it', async () => {
    const own = await loadOwnModels(dataDir)
    assert.deepEqual(
      own.map(({ card }) => card.name),
      ['mine'],
      'a copy of the zoo is published anyway',
    )
    const card = own[0]?.card
    assert.ok(card?.kind === 'tensor' && card.inputs[0]?.shape.at(-1) === 64 && card.outputs.length === 1)
  })

  it('matches the very bytes, not the name', async () => {
    const { files } = await findLocalModels(dataDir, signal)
    const [zoo] = loadZoo()
    assert.ok(zoo)
    const listed = (card: ListedModel['card']): readonly ListedModel[] => [{ id, card, stepPriceWei: 1n }]
    assert.equal(matchPublished(listed(zoo.card), files)[0]?.id, id)
    assert.equal(matchPublished(listed({ ...zoo.card, name: 'renamed' }), files).length, 1)
    const other = { ...zoo.card, commitments: { ...zoo.card.commitments, artifact: parseBytes32(`0x${'ef'.repeat(32)}`) } }
    assert.deepEqual(matchPublished(listed(other), files), [])
    assert.deepEqual(matchPublished(listed({ ...zoo.card, format: 'ollama' }), files), [])
    assert.deepEqual(matchPublished(listed(null), files), [])
  })
})
